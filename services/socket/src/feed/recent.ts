import { type Position, START } from '@crowdvision/bus';
import type { Reading, ReadingWithCursor } from '@crowdvision/contracts';

/** An entry of the stream that is a valid reading. */
export interface RecentEntry {
	position: Position;
	buildingId: string;
	/** The reading as JSON; parsed again for the few dashboards that catch up. */
	data: string;
}

export interface RecentBounds {
	entries: number;
	bytes: number;
}

/** The bounds of what is held by default. */
export const DEFAULT_RECENT: RecentBounds = { entries: 20_000, bytes: 8 * 1024 * 1024 };

/** The last readings of all buildings, for dashboards that catch up. Beyond its bounds it forgets the oldest. */
export class RecentReadings {
	readonly #compare: (a: Position, b: Position) => number;
	readonly #bounds: RecentBounds;
	#entries: RecentEntry[] = [];
	/** Index of the first entry that is not forgotten. */
	#first = 0;
	#bytes = 0;
	#base: Position = START;
	#head: Position = START;

	constructor(compare: (a: Position, b: Position) => number, bounds: RecentBounds) {
		this.#compare = compare;
		this.#bounds = bounds;
	}

	/** Every reading after this position is held. */
	get base(): Position {
		return this.#base;
	}

	/** The newest position of the stream. */
	get head(): Position {
		return this.#head;
	}

	/** Forgets everything and goes on after the position `base`. */
	reset(base: Position): void {
		this.#entries = [];
		this.#first = 0;
		this.#bytes = 0;
		this.#base = base;
		this.#head = base;
	}

	/** @param head the position of the last entry of the stream, which may be no valid reading */
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

	/** Whether every reading after `position` is held. */
	holds(position: Position): boolean {
		return this.#compare(position, this.#base) >= 0;
	}

	/** At most `limit` readings of a building after `position`, and the position up to which they are complete. */
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
