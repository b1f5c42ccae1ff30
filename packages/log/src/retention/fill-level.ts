import type { Cursors } from '../cursor/cursors.ts';
import type { Segments } from '../segment/segments.ts';
import { Forecast } from './forecast.ts';

/** How many bytes of the log are held for consumers, and when they will fill it. */
export class FillLevel {
	readonly #segments: Segments;
	readonly #cursors: Cursors;
	readonly #forecast: Forecast;

	constructor(maxBytes: number, segments: Segments, cursors: Cursors) {
		this.#segments = segments;
		this.#cursors = cursors;
		this.#forecast = new Forecast(maxBytes);
	}

	/**
	 * Bytes of the segments that some cursor has not passed; of the segment where the slowest cursor stands, the share
	 * after that cursor.
	 */
	get heldBytes(): number {
		const slowest = this.#cursors.slowest();
		if (slowest === Number.POSITIVE_INFINITY) return 0;
		const { list, end } = this.#segments;
		return list.reduce((sum, { firstOffset, size }, index) => {
			const after = list[index + 1]?.previousEnd ?? end;
			if (slowest >= after) return sum;
			return sum + size * Math.min(1, (after - slowest) / Math.max(1, after - firstOffset));
		}, 0);
	}

	/** Hours until the held bytes fill the log; infinite where they do not grow. */
	get hoursToFull(): number {
		return this.#forecast.hours;
	}

	/** Takes a sample for the forecast when one is due. `at`: log time in seconds. */
	measure(at: number): void {
		if (this.#forecast.due(at)) this.#forecast.add(at, this.heldBytes);
	}
}
