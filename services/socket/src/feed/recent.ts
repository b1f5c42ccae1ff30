import { type Position, START } from '@crowdvision/bus';
import type { Reading, ReadingWithCursor } from '@crowdvision/contracts';

/** An entry of the stream, known to be a reading. */
export interface RecentEntry {
	position: Position;
	buildingId: string;
	/** The reading as it came, JSON: parsed again for the few that catch up. */
	data: string;
}

export interface RecentBounds {
	entries: number;
	bytes: number;
}

/**
 * The last readings of all buildings, for whoever has to catch up a little. Bounded; it forgets the oldest, and says
 * how far back it reaches.
 */
export class RecentReadings {
	readonly #compare: (a: Position, b: Position) => number;
	readonly #bounds: RecentBounds;
	#entries: RecentEntry[] = [];
	/** Those before it are forgotten already. */
	#first = 0;
	#bytes = 0;
	#base: Position = START;
	#head: Position = START;

	constructor(compare: (a: Position, b: Position) => number, bounds: RecentBounds) {
		this.#compare = compare;
		this.#bounds = bounds;
	}

	/** Everything after it is held. */
	get base(): Position {
		return this.#base;
	}

	/** The newest position, of whatever building. */
	get head(): Position {
		return this.#head;
	}

	/** Forgets everything; what follows comes after `base`. */
	reset(base: Position): void {
		this.#entries = [];
		this.#first = 0;
		this.#bytes = 0;
		this.#base = base;
		this.#head = base;
	}

	/** `head`: the position up to which the stream is known now, entries that are no readings included. */
	push(entries: readonly RecentEntry[], head: Position): void {
		for (const entry of entries) {
			this.#entries.push(entry);
			this.#bytes += entry.data.length;
		}
		this.#head = head;
		while (this.#entries.length - this.#first > this.#bounds.entries || this.#bytes > this.#bounds.bytes) {
			const oldest = this.#entries[this.#first++]!;
			this.#bytes -= oldest.data.length;
			this.#base = oldest.position;
		}
		if (this.#first > 1000 && this.#first * 2 > this.#entries.length) {
			this.#entries = this.#entries.slice(this.#first);
			this.#first = 0;
		}
	}

	/** Whether everything after `position` is held, or nothing is after it yet. */
	holds(position: Position): boolean {
		return this.#compare(position, this.#base) >= 0;
	}

	/** At most `limit` readings of a building after `position`, and the position up to which that is all of them. */
	after(position: Position, buildingId: string, limit: number): { readings: ReadingWithCursor[]; upTo: Position } {
		const readings: ReadingWithCursor[] = [];
		for (let index = this.#indexAfter(position); index < this.#entries.length; index++) {
			const entry = this.#entries[index]!;
			if (entry.buildingId !== buildingId) continue;
			readings.push({ ...(JSON.parse(entry.data) as Reading), cursor: entry.position });
			if (readings.length === limit) return { readings, upTo: entry.position };
		}
		return { readings, upTo: this.#compare(position, this.#head) > 0 ? position : this.#head };
	}

	#indexAfter(position: Position): number {
		let low = this.#first;
		let high = this.#entries.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if (this.#compare(this.#entries[middle]!.position, position) <= 0) low = middle + 1;
			else high = middle;
		}
		return low;
	}
}
