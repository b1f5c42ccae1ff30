import type { Segment } from './segment.ts';

/** What is on disk: the segments in order, their bytes, and the offset after the last durable record. */
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

	/** The offset after the last record that readers see. */
	get end(): number {
		return this.#end;
	}

	/** The one that is written to. */
	get active(): Segment | undefined {
		return this.#list.at(-1);
	}

	/** The offset after the last record of the oldest one. */
	get oldestEnd(): number {
		return this.#list[1]?.previousEnd ?? this.#end;
	}

	begin(segment: Segment): void {
		this.#list.push(segment);
		this.#bytes += segment.size;
	}

	/** So many bytes, ending before offset `end`, were added to `segment`. */
	grow(segment: Segment, bytes: number, end: number): void {
		segment.size += bytes;
		this.#bytes += bytes;
		this.#end = end;
	}

	/** Puts `segment` in the place of `old`, which holds no record that is not in it or given up. */
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
