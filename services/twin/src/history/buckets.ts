import { stretchesOf } from './zones.ts';

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
const LONGEST_MONTH_MS = 31 * DAY_MS;
/** No zone has changed its clocks by more than this at once (a day, across the date line). */
const LONGEST_CHANGE_MS = DAY_MS;
/** 1969-12-29, the Monday before the epoch, in days. */
const A_MONDAY = -3;

/** Epoch ms; `end` is not included. */
export interface Bucket {
	start: number;
	end: number;
}

/**
 * How long buckets are on the wall's clock and calendar: so many ms (a day at most), days (counted from day `anchor` of
 * the epoch) or months.
 */
export type BucketLength =
	| { unit: 'ms'; n: number }
	| { unit: 'day'; n: number; anchor: number }
	| { unit: 'month'; n: number };

const UNITS_MS: Record<string, number> = { '': 1, ms: 1, s: 1000, m: 60_000, h: HOUR_MS };
const SHORTEST_MS = 1000;
const MOST_DAYS = 400;
const MOST_MONTHS = 120;

/**
 * Reads `15m`, `1h`, `1d`, `1w`, `1mo` and the like, or plain ms. Undefined for what is no length, or out of bounds.
 */
export function parseBucketLength(text: string): BucketLength | undefined {
	const [, digits, unit = ''] = /^(\d{1,12})(ms|s|m|h|d|w|mo)?$/.exec(text) ?? [];
	const n = Number(digits);
	if (!(n >= 1)) return undefined;
	if (unit === 'mo') return n <= MOST_MONTHS ? { unit: 'month', n } : undefined;
	if (unit === 'w') return n * 7 <= MOST_DAYS ? { unit: 'day', n: n * 7, anchor: A_MONDAY } : undefined;
	if (unit === 'd') return n <= MOST_DAYS ? { unit: 'day', n, anchor: 0 } : undefined;
	const ms = n * UNITS_MS[unit]!;
	if (ms > DAY_MS)
		return ms % DAY_MS === 0 && ms / DAY_MS <= MOST_DAYS ? { unit: 'day', n: ms / DAY_MS, anchor: 0 } : undefined;
	return ms >= SHORTEST_MS ? { unit: 'ms', n: ms } : undefined;
}

/**
 * The buckets that a range touches, as the clocks on the walls of `zone` have them: hours begin on the hour there, days
 * at midnight, weeks on Monday, months on the first. So a day on which the clocks change has 23 or 25 hours (or 23.5,
 * or 24.5). Up to an hour a bucket ends where the clocks change: what happens twice on the wall is two buckets. A
 * length that does not divide the day leaves a short bucket before midnight. Undefined when there are more than `most`.
 */
export function bucketsOf(
	length: BucketLength,
	zone: string,
	from: number,
	to: number,
	most: number,
): Bucket[] | undefined {
	const split = length.unit === 'ms' && length.n <= HOUR_MS;
	const buckets: Bucket[] = [];
	for (const bucket of split ? splitAtChanges(length, zone, from, to) : acrossChanges(length, zone, from, to)) {
		if (bucket.end <= from || bucket.end <= bucket.start) continue;
		if (buckets.length === most) return undefined;
		buckets.push(bucket);
	}
	return buckets;
}

function* splitAtChanges(length: BucketLength, zone: string, from: number, to: number): Generator<Bucket> {
	// Far enough around the range that a bucket at its edge is whole.
	for (const stretch of stretchesOf(zone, from - DAY_MS, to + DAY_MS)) {
		if (stretch.to <= from || stretch.from >= to) continue;
		let wall = floorWall(length, Math.max(stretch.from, from) + stretch.offset);
		let start = Math.max(stretch.from, wall - stretch.offset);
		while (start < Math.min(stretch.to, to)) {
			wall = nextWall(length, wall);
			const end = Math.min(stretch.to, wall - stretch.offset);
			yield { start, end };
			start = end;
		}
	}
}

function* acrossChanges(length: BucketLength, zone: string, from: number, to: number): Generator<Bucket> {
	const reach = longestMs(length) + 2 * LONGEST_CHANGE_MS;
	const stretches = stretchesOf(zone, from - reach, to + reach);
	/** The first moment at which the wall shows this time or a later one. */
	const reached = (wall: number): number => {
		for (const [index, stretch] of stretches.entries()) {
			if (index > 0 && wall <= stretch.from + stretch.offset) return stretch.from;
			if (wall < stretch.to + stretch.offset || index === stretches.length - 1) return wall - stretch.offset;
		}
		throw new Error('a range of time is never without a stretch');
	};
	const here = stretches.find((stretch) => stretch.from <= from && from < stretch.to)!;
	let wall = floorWall(length, from + here.offset);
	let start = reached(wall);
	while (start < to) {
		wall = nextWall(length, wall);
		const end = reached(wall);
		yield { start, end };
		start = end;
	}
}

/** The beginning of the bucket that a time on the wall lies in, as if the wall's clock were UTC. */
function floorWall(length: BucketLength, wall: number): number {
	const day = Math.floor(wall / DAY_MS);
	switch (length.unit) {
		case 'ms':
			return day * DAY_MS + Math.floor((wall - day * DAY_MS) / length.n) * length.n;
		case 'day':
			return (Math.floor((day - length.anchor) / length.n) * length.n + length.anchor) * DAY_MS;
		case 'month':
			return Date.UTC(1970, Math.floor(monthOf(wall) / length.n) * length.n);
	}
}

/** The beginning of the bucket after the one that begins at `wall`. */
function nextWall(length: BucketLength, wall: number): number {
	switch (length.unit) {
		case 'ms':
			return Math.min(wall + length.n, (Math.floor(wall / DAY_MS) + 1) * DAY_MS);
		case 'day':
			return wall + length.n * DAY_MS;
		case 'month':
			return Date.UTC(1970, monthOf(wall) + length.n);
	}
}

/** Months since January 1970. */
function monthOf(wall: number): number {
	const date = new Date(wall);
	return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
}

function longestMs(length: BucketLength): number {
	if (length.unit === 'ms') return length.n;
	return length.unit === 'day' ? length.n * DAY_MS : length.n * LONGEST_MONTH_MS;
}
