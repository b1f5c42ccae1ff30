import type { RollUp } from '@crowdvision/store';

/** What is known of a value over some time. Of nothing known: `knownMs` and `count` 0, and the rest means nothing. */
export interface Tally {
	/** For how long a value was known, in ms. */
	knownMs: number;
	/** Integral of the value over that time, in value x ms; of a flow metric the total of its samples. */
	weighted: number;
	/** Samples observed within the time. */
	count: number;
	min: number;
	max: number;
	last: number;
	/** Since when `last` held, epoch ms. */
	lastAt: number;
}

export function emptyTally(): Tally {
	return {
		knownMs: 0,
		weighted: 0,
		count: 0,
		min: Number.POSITIVE_INFINITY,
		max: Number.NEGATIVE_INFINITY,
		last: 0,
		lastAt: Number.NEGATIVE_INFINITY,
	};
}

/** Takes in a value among those that were there. */
export function addValue(tally: Tally, value: number, at: number): void {
	if (value < tally.min) tally.min = value;
	if (value > tally.max) tally.max = value;
	if (at >= tally.lastAt) {
		tally.last = value;
		tally.lastAt = at;
	}
}

/** Whether anything is to be said: some value held, or of a flow metric some sample came. */
export const saysSomething = ({ min }: Tally): boolean => min !== Number.POSITIVE_INFINITY;

/** A roll-up as a tally: of a flow metric, a period without samples has no value. */
export function tallyOf({ knownMs, weighted, count, min, max, last, lastAt }: RollUp, isFlow: boolean): Tally {
	if (isFlow && count === 0) return { ...emptyTally(), knownMs };
	return { knownMs, weighted, count, min, max, last, lastAt };
}

/** A tally as the roll-up of a period, or undefined where nothing is known. */
export function rollUpOf(tally: Tally, start: number, sensorId?: string): RollUp | undefined {
	if (tally.knownMs === 0 && tally.count === 0) return undefined;
	const said = saysSomething(tally) ? tally : { ...tally, min: 0, max: 0, last: 0, lastAt: start };
	return { start, ...(sensorId !== undefined && { sensorId }), ...said };
}

/** Adds what is known of other times to `tally`. */
export function addTally(tally: Tally, other: Tally): void {
	tally.knownMs += other.knownMs;
	tally.weighted += other.weighted;
	tally.count += other.count;
	if (!saysSomething(other)) return;
	if (other.min < tally.min) tally.min = other.min;
	if (other.max > tally.max) tally.max = other.max;
	if (other.lastAt >= tally.lastAt) {
		tally.last = other.last;
		tally.lastAt = other.lastAt;
	}
}
