import { type DedupKey, encodeRecord } from '../segment/record.ts';
import type { RecordImage } from '../segment/record-image.ts';

/** Called once: without an error when the records are on disk or were `dropped` by the policy, else with the error. */
export type OnDurable = (error?: Error, dropped?: boolean) => void;

/** Small, because a buffer that goes to the commit thread and back counts as garbage of its size in both threads. */
const FIRST_BUFFER = 8 * 1024;
const ignore = () => undefined;

/** Encoded records on their way to the disk, and the callers that wait for them. */
export class Batch {
	/** Offset of its first record. */
	readonly first: number;
	/** Offset after its last record. Moving it on skips offsets. */
	end: number;
	/** Number of used bytes of `data`. */
	length = 0;
	records = 0;
	/** When its first record was appended, epoch ms. */
	firstAt = 0;
	/** Number of records with a key. */
	keys = 0;
	data: ArrayBuffer;
	readonly #waiters: OnDurable[] = [];
	#bytes: Buffer;

	constructor(first: number, bound: number, spare: ArrayBuffer | undefined) {
		this.first = first;
		this.end = first;
		this.data = spare && spare.byteLength >= bound ? spare : new ArrayBuffer(Math.max(FIRST_BUFFER, bound));
		this.#bytes = Buffer.from(this.data);
	}

	/** Makes room for `bound` more bytes. */
	reserve(bound: number): void {
		const needed = this.length + bound;
		if (needed <= this.data.byteLength) return;
		const larger = new ArrayBuffer(Math.max(this.data.byteLength * 2, needed));
		const bytes = Buffer.from(larger);
		this.#bytes.copy(bytes, 0, 0, this.length);
		this.data = larger;
		this.#bytes = bytes;
	}

	/** Encodes a record at the end, where its room must be reserved. */
	push(at: number, seconds: number, payload: Buffer | string, key: DedupKey | undefined): void {
		this.length = encodeRecord(this.#bytes, this.length, this.end, at, seconds, payload, key);
		this.#added(at, key);
	}

	/** Copies a record at the end, where its room must be reserved. */
	pushImage(image: RecordImage, at: number, seconds: number): void {
		image.seal(this.end, at, seconds);
		this.length += image.bytes.copy(this.#bytes, this.length, 0, image.length);
		this.#added(at, image.key);
	}

	#added(at: number, key: DedupKey | undefined): void {
		this.end++;
		if (this.records === 0) this.firstAt = at;
		this.records++;
		if (key) this.keys++;
	}

	/**
	 * Resolves with `answer` when the batch is on disk, rejects when it has failed; never an unhandled rejection.
	 */
	whenDurable<T>(answer: T): Promise<T> {
		const promise = new Promise<T>((resolve, reject) => {
			this.#waiters.push((error) => (error ? reject(error) : resolve(answer)));
		});
		promise.catch(ignore);
		return promise;
	}

	/** Calls `callback` when the batch is on disk or has failed. */
	onDurable(callback: OnDurable): void {
		this.#waiters.push(callback);
	}

	/**
	 * Calls back every waiter. When one throws, the others are still called, and its error is thrown outside, where it
	 * ends the process unless handled.
	 */
	settle(error?: Error): void {
		for (const callback of this.#waiters) {
			try {
				callback(error);
			} catch (thrown) {
				queueMicrotask(() => {
					throw thrown;
				});
			}
		}
	}
}
