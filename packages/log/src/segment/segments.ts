import type { Segment } from './segment.ts';

/** The segments on disk in order, their size in bytes, and the offset after the last durable record. */
export class Segments {
	readonly #list: Segment[];
	#bytes: number;
	#end: number;

	constructor(list: Segment[], end: number) {
		this.#list = list;
		this.#bytes = list.reduce((sum, segment) => sum + segment.size, 0);
		this.#end = end;
	}

	get list(): readonly Segment[] {
		return this.#list;
	}

	get bytes(): number {
		return this.#bytes;
	}

	/** The first offset that is held. */
	get start(): number {
		return Math.min(this.#list[0]?.firstOffset ?? this.#end, this.#end);
	}

	/** The offset after the last durable record. */
	get end(): number {
		return this.#end;
	}

	/** The segment that is written to. */
	get active(): Segment | undefined {
		return this.#list.at(-1);
	}

	/** The offset after the last record of the oldest segment. */
	get oldestEnd(): number {
		return this.#list[1]?.previousEnd ?? this.#end;
	}

	begin(segment: Segment): void {
		this.#list.push(segment);
		this.#bytes += segment.size;
	}

	/** Call it when `bytes` of records, ending before offset `end`, were added to `segment`. */
	grow(segment: Segment, bytes: number, end: number): void {
		segment.size += bytes;
		this.#bytes += bytes;
		this.#end = end;
	}

	/** Replaces `old` by `segment`, which holds its records except the dropped ones. */
	replace(old: Segment, segment: Segment): void {
		this.#list[this.#list.indexOf(old)] = segment;
		this.#bytes += segment.size - old.size;
	}

	removeOldest(): Segment | undefined {
		const oldest = this.#list.shift();
		this.#bytes -= oldest?.size ?? 0;
		return oldest;
	}
}
