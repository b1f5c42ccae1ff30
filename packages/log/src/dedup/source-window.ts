const FIRST_CAPACITY = 16;
/** Size of one entry in a snapshot. */
export const ENTRY_BYTES = 20;

type Column = Float64Array | Uint32Array;

/**
 * The last records of one source, oldest first, as rings of numbers: 20 bytes per record. The newest `tentative` of
 * them are not on disk yet. `generation` distinguishes the boots of a sender that does not name them: a restart is
 * inferred.
 */
export class SourceWindow {
	seqs = new Float64Array(FIRST_CAPACITY);
	hashes = new Uint32Array(FIRST_CAPACITY);
	seconds = new Uint32Array(FIRST_CAPACITY);
	boots = new Uint32Array(FIRST_CAPACITY);
	head = 0;
	count = 0;
	tentative = 0;
	/** The highest seq in the window: a higher one is new without a search. */
	highest = Number.NEGATIVE_INFINITY;
	generation = 0;
	/** `generation` as of the newest record on disk. */
	durableGeneration = 0;

	/** The index of an entry in the rings. */
	slot(index: number): number {
		return (this.head + index) & (this.seqs.length - 1);
	}

	push(seq: number, hash: number, seconds: number, boot: number): void {
		if (this.count === this.seqs.length) this.#resize(this.count * 2);
		const slot = this.slot(this.count);
		this.seqs[slot] = seq;
		this.hashes[slot] = hash;
		this.seconds[slot] = seconds;
		this.boots[slot] = boot;
		this.count++;
		if (seq > this.highest) this.highest = seq;
	}

	dropOldest(): void {
		const seq = this.seqs[this.head]!;
		this.head = this.slot(1);
		this.count--;
		if (seq !== this.highest) return;
		this.highest = Number.NEGATIVE_INFINITY;
		for (let i = 0; i < this.count; i++) this.highest = Math.max(this.highest, this.seqs[this.slot(i)]!);
	}

	/** Removes the entries that are not on disk. */
	rollback(): void {
		this.count -= this.tentative;
		this.tentative = 0;
		this.generation = this.durableGeneration;
	}

	oldestSeconds(): number {
		return this.seconds[this.head]!;
	}

	newestSeconds(): number {
		return this.seconds[this.slot(this.count - 1)]!;
	}

	/** Writes the entries that are on disk, column by column. Returns the position after them. */
	encode(target: Buffer, position: number): number {
		const count = this.count - this.tentative;
		let at = position;
		for (const column of [this.seqs, this.hashes, this.seconds, this.boots]) {
			const size = column.BYTES_PER_ELEMENT;
			const upTo = Math.min(this.head + count, column.length);
			at += bytesOf(column).copy(target, at, this.head * size, upTo * size);
			at += bytesOf(column).copy(target, at, 0, (count - (upTo - this.head)) * size);
		}
		return at;
	}

	/** Reads `count` entries that `encode` wrote. */
	decode(source: Buffer, position: number, count: number): void {
		this.#resize(Math.max(FIRST_CAPACITY, 2 ** Math.ceil(Math.log2(Math.max(1, count)))));
		let at = position;
		for (const column of [this.seqs, this.hashes, this.seconds, this.boots]) {
			at += source.copy(bytesOf(column), 0, at, at + count * column.BYTES_PER_ELEMENT);
		}
		this.count = count;
		for (let i = 0; i < count; i++) this.highest = Math.max(this.highest, this.seqs[i]!);
	}

	#resize(capacity: number): void {
		const move = <A extends Column>(from: A, to: A): A => {
			const split = Math.min(this.head + this.count, from.length);
			to.set(from.subarray(this.head, split), 0);
			to.set(from.subarray(0, this.count - (split - this.head)), split - this.head);
			return to;
		};
		this.seqs = move(this.seqs, new Float64Array(capacity));
		this.hashes = move(this.hashes, new Uint32Array(capacity));
		this.seconds = move(this.seconds, new Uint32Array(capacity));
		this.boots = move(this.boots, new Uint32Array(capacity));
		this.head = 0;
	}
}

function bytesOf(column: Column): Buffer {
	return Buffer.from(column.buffer, column.byteOffset, column.byteLength);
}
