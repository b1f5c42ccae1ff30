import type { RollUp } from '@crowdvision/store';

/** A summary of a value over a span of time. If the value is unknown there, only `knownMs` and `count` (0) count. */
export interface Tally {
	/** How long a value was known, in ms. */
	knownMs: number;
	/** Of that, how long it was a sum that lacked silent counters. */
	incompleteMs: number;
	/** Integral of the value over that time, in value x ms; for a flow metric, the sum of its samples. */
	weighted: number;
	/** Number of samples observed in the span. */
	count: number;
	min: number;
	max: number;
	last: number;
	/** Since when `last` applied, epoch ms. */
	lastAt: number;
	/** Some value that held in the span is the upper limit, of which its sensor sent a little more. */
	clipped?: true;
}

/** The tally of a span in which nothing is known. */
export function emptyTally(): Tally {
	return {
		knownMs: 0,
		incompleteMs: 0,
		weighted: 0,
		count: 0,
		min: Number.POSITIVE_INFINITY,
		max: Number.NEGATIVE_INFINITY,
		last: 0,
		lastAt: Number.NEGATIVE_INFINITY,
	};
}

/** Adds a value that applied from `at` on to minimum, maximum and last value. */
export function addValue(tally: Tally, value: number, at: number, clipped: boolean): void {
	if (clipped) tally.clipped = true;
	if (value < tally.min) tally.min = value;
	if (value > tally.max) tally.max = value;
	if (at >= tally.lastAt) {
		tally.last = value;
		tally.lastAt = at;
	}
}

/** Whether the tally has a value: one was known, or a sample of a flow metric was observed. */
export const hasValue = ({ min }: Tally): boolean => min !== Number.POSITIVE_INFINITY;

/** Reads a roll-up as a tally. For a flow metric, a period without samples has no value. */
export function tallyOf({ start: _start, sensorId: _sensor, ...rollUp }: RollUp, isFlow: boolean): Tally {
	const { knownMs, count } = rollUp;
	if (isFlow && count === 0) return { ...emptyTally(), knownMs };
	return { incompleteMs: 0, ...rollUp };
}

/** The roll-up of a period that begins at `start`, or undefined when nothing is known about it. */
export function rollUpOf(tally: Tally, start: number, sensorId?: string): RollUp | undefined {
	if (tally.knownMs === 0 && tally.count === 0) return undefined;
	const { incompleteMs, ...known } = tally;
	const values = hasValue(tally) ? known : { ...known, min: 0, max: 0, last: 0, lastAt: start };
	return {
		start,
		...(sensorId !== undefined && { sensorId }),
		...values,
		...(incompleteMs > 0 && { incompleteMs }),
	};
}

/** Adds a tally of another span of time to `tally`. */
export function addTally(tally: Tally, other: Tally): void {
	tally.knownMs += other.knownMs;
	tally.incompleteMs += other.incompleteMs;
	tally.weighted += other.weighted;
	tally.count += other.count;
	if (!hasValue(other)) return;
	if (other.clipped) tally.clipped = true;
	if (other.min < tally.min) tally.min = other.min;
	if (other.max > tally.max) tally.max = other.max;
	if (other.lastAt >= tally.lastAt) {
		tally.last = other.last;
		tally.lastAt = other.lastAt;
	}
}
