import { type DedupKey, encodeRecord } from './record.ts';

interface Waiter {
	resolve: () => void;
	reject: (error: Error) => void;
}

const FIRST_BUFFER = 256 * 1024;

/** Records on their way to the disk, encoded one behind the other, and those who wait for them. */
export class Batch {
	/** Offset of its first record; the others follow without a hole. */
	readonly first: number;
	/** Offset after its last record. */
	end: number;
	/** Bytes used of `data`. */
	length = 0;
	data: ArrayBuffer;
	/** Sources of its keys, in order. */
	readonly sources: string[] = [];
	readonly #waiters: Waiter[] = [];
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
	push(at: number, payload: Buffer | string, key: DedupKey | undefined): void {
		this.length = encodeRecord(this.#bytes, this.length, this.end, at, payload, key);
		this.end++;
		if (key) this.sources.push(key.source);
	}

	/** Resolves when the batch is on disk, rejects when it failed. */
	settled(): Promise<void> {
		return new Promise((resolve, reject) => {
			this.#waiters.push({ resolve, reject });
		});
	}

	settle(error?: Error): void {
		for (const { resolve, reject } of this.#waiters) {
			if (error) reject(error);
			else resolve();
		}
	}
}
