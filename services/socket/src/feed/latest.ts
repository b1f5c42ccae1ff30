import type { Position } from '@crowdvision/bus';
import { momentOf, type ReadingWithCursor } from '@crowdvision/contracts';

/** More rooms and metrics than any installation has; the bound is for devices that invent room ids. */
const MAX_READINGS = 50_000;

/**
 * The latest reading of each room, metric and sensor, in the order of the stream: a room's value is made of all its
 * sensors. Beyond its bound it forgets the oldest.
 */
export class LatestReadings {
	readonly #readings = new Map<string, ReadingWithCursor>();
	readonly #max: number;

	constructor(max = MAX_READINGS) {
		this.#max = max;
	}

	get size(): number {
		return this.#readings.size;
	}

	/** Adds a reading, unless one of a later moment is known. */
	add(reading: ReadingWithCursor): void {
		const { buildingId, roomId, generation = '', metric, sensorId } = reading;
		const key = `${buildingId}\n${roomId}\n${generation}\n${metric}\n${sensorId}`;
		const known = this.#readings.get(key);
		if (known && momentOf(known) > momentOf(reading)) return;
		// Removed first, so that the map stays in the order of the stream.
		this.#readings.delete(key);
		this.#readings.set(key, reading);
		if (this.#readings.size > this.#max) this.#readings.delete(this.#readings.keys().next().value!);
	}

	/** Returns all readings and forgets them. */
	takeAll(): ReadingWithCursor[] {
		const all = [...this.#readings.values()];
		this.#readings.clear();
		return all;
	}

	/** The readings of a building after the position `from`, up to `to`. */
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
