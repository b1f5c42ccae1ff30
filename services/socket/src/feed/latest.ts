import type { Position } from '@crowdvision/bus';
import type { ReadingWithCursor } from '@crowdvision/contracts';

/** More rooms and metrics than any building has; a device may invent room ids. */
const MOST_KEPT = 50_000;

/**
 * The latest reading of each room and metric, in the order of the stream. Bounded: of the longest silent it forgets.
 */
export class LatestReadings {
	readonly #readings = new Map<string, ReadingWithCursor>();
	readonly #most: number;

	constructor(most = MOST_KEPT) {
		this.#most = most;
	}

	get size(): number {
		return this.#readings.size;
	}

	/** Takes it unless a later observation is known. */
	keep(reading: ReadingWithCursor): void {
		const key = `${reading.buildingId}\n${reading.roomId}\n${reading.metric}`;
		const known = this.#readings.get(key);
		if (known && known.observedAt > reading.observedAt) return;
		// Last in, last out: what is sent stays in the order of the stream.
		this.#readings.delete(key);
		this.#readings.set(key, reading);
		if (this.#readings.size > this.#most) this.#readings.delete(this.#readings.keys().next().value!);
	}

	/** All there are, and forgets them. */
	takeAll(): ReadingWithCursor[] {
		const all = [...this.#readings.values()];
		this.#readings.clear();
		return all;
	}

	/** Those of a building whose position is after `from` and not after `to`. */
	between(
		buildingId: string,
		from: Position,
		to: Position,
		compare: (a: Position, b: Position) => number,
	): ReadingWithCursor[] {
		return [...this.#readings.values()].filter(
			(reading) =>
				reading.buildingId === buildingId && compare(reading.cursor, from) > 0 && compare(reading.cursor, to) <= 0,
		);
	}

	clear(): void {
		this.#readings.clear();
	}
}
