import { type DedupKey, encodeRecord } from '../segment/record.ts';

/** Told once: without an error when the records are on disk, or `dropped` by the policy. */
export type Settled = (error?: Error, dropped?: boolean) => void;

/** Small: each buffer that goes to the commit thread and back counts as garbage of its size on both sides. */
const FIRST_BUFFER = 8 * 1024;
const ignore = () => undefined;

/** Records on their way to the disk, encoded one behind the other, and those who wait for them. */
export class Batch {
	/** Offset of its first record. */
	readonly first: number;
	/** Offset after its last record. Moving it on leaves offsets out. */
	end: number;
	/** Bytes used of `data`. */
	length = 0;
	records = 0;
	/** When its first record was appended, epoch ms. */
	firstAt = 0;
	/** How many of its records have a key. */
	keys = 0;
	data: ArrayBuffer;
	readonly #waiters: Settled[] = [];
	#bytes: Buffer;

	constructor(first: number, bound: number, spare: ArrayBuffer | undefined) {
		this.first = first;
		this.end = first;
		this.data = spare && spare.byteLength >= bound ? spare : new ArrayBuffer(Math.max(FIRST_BUFFER, bound));
		this.#bytes = Buffer.from(this.data);
	}

	/** Makes room for `bound` bytes more. */
	reserve(bound: number): void {
		const needed = this.length + bound;
		if (needed <= this.data.byteLength) return;
		const larger = new ArrayBuffer(Math.max(this.data.byteLength * 2, needed));
		const bytes = Buffer.from(larger);
		this.#bytes.copy(bytes, 0, 0, this.length);
		this.data = larger;
		this.#bytes = bytes;
	}

	/** Encodes one record at the end. Room must be reserved. */
	push(at: number, seconds: number, payload: Buffer | string, key: DedupKey | undefined): void {
		this.length = encodeRecord(this.#bytes, this.length, this.end, at, seconds, payload, key);
		this.end++;
		if (this.records === 0) this.firstAt = at;
		this.records++;
		if (key) this.keys++;
	}

	/**
	 * Resolves with `answer` when the batch is on disk, rejects when it failed. Nobody need wait for it: it is never an
	 * unhandled rejection.
	 */
	settled<T>(answer: T): Promise<T> {
		const promise = new Promise<T>((resolve, reject) => {
			this.#waiters.push((error) => (error ? reject(error) : resolve(answer)));
		});
		promise.catch(ignore);
		return promise;
	}

	/** Calls `settled` when the batch is on disk, or has failed. */
	whenSettled(settled: Settled): void {
		this.#waiters.push(settled);
	}

	/**
	 * Tells everybody. One who throws does not keep the others from being told; what he threw is the process's to deal
	 * with.
	 */
	settle(error?: Error): void {
		for (const settled of this.#waiters) {
			try {
				settled(error);
			} catch (thrown) {
				queueMicrotask(() => {
					throw thrown;
				});
			}
		}
	}
}
