import { stretchesOf } from './zones.ts';

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
const LONGEST_MONTH_MS = 31 * DAY_MS;
/** The largest change of clocks in any time zone: a day, across the date line. */
const LONGEST_CHANGE_MS = DAY_MS;
/** 1969-12-29, the Monday before the epoch, in days since the epoch. */
const A_MONDAY = -3;

/** A span of time in epoch ms; `end` is not included. */
export interface Bucket {
	start: number;
	end: number;
}

/**
 * The length of buckets in local time: milliseconds (a day at most), days (counted from day `anchor` since the epoch),
 * or months.
 */
export type BucketLength =
	| { unit: 'ms'; n: number }
	| { unit: 'day'; n: number; anchor: number }
	| { unit: 'month'; n: number };

const UNITS_MS: Record<string, number> = { '': 1, ms: 1, s: 1000, m: 60_000, h: HOUR_MS };
const MIN_MS = 1000;
const MAX_DAYS = 400;
const MAX_MONTHS = 120;

/**
 * Parses a length such as `15m`, `1h`, `1d`, `1w` or `1mo`, or a number of ms. Undefined for anything else and for a
 * length outside 1 s to 400 days or 120 months.
 */
export function parseBucketLength(text: string): BucketLength | undefined {
	const [, digits, unit = ''] = /^(\d{1,12})(ms|s|m|h|d|w|mo)?$/.exec(text) ?? [];
	const n = Number(digits);
	if (!(n >= 1)) return undefined;
	if (unit === 'mo') return n <= MAX_MONTHS ? { unit: 'month', n } : undefined;
	if (unit === 'w') return n * 7 <= MAX_DAYS ? { unit: 'day', n: n * 7, anchor: A_MONDAY } : undefined;
	if (unit === 'd') return n <= MAX_DAYS ? { unit: 'day', n, anchor: 0 } : undefined;
	const ms = n * UNITS_MS[unit]!;
	if (ms > DAY_MS)
		return ms % DAY_MS === 0 && ms / DAY_MS <= MAX_DAYS ? { unit: 'day', n: ms / DAY_MS, anchor: 0 } : undefined;
	return ms >= MIN_MS ? { unit: 'ms', n: ms } : undefined;
}

/**
 * The buckets that overlap a range, aligned to local time in `zone`: hours begin on the hour, days at midnight, weeks
 * on Monday, months on the first. So a day on which the clocks change has 23 or 25 hours (or 23.5, or 24.5). A bucket
 * of at most an hour ends where the clocks change: a repeated hour gives two buckets. A length that does not divide the
 * day gives a short bucket before midnight. Undefined when there are more than `maxBuckets`.
 * @param zone IANA name
 * @param from epoch ms
 * @param to epoch ms, not included
 */
export function bucketsOf(
	length: BucketLength,
	zone: string,
	from: number,
	to: number,
	maxBuckets: number,
): Bucket[] | undefined {
	const split = length.unit === 'ms' && length.n <= HOUR_MS;
	const buckets: Bucket[] = [];
	for (const bucket of split ? splitAtChanges(length, zone, from, to) : acrossChanges(length, zone, from, to)) {
		if (bucket.end <= from || bucket.end <= bucket.start) continue;
		if (buckets.length === maxBuckets) return undefined;
		buckets.push(bucket);
	}
	return buckets;
}

function* splitAtChanges(length: BucketLength, zone: string, from: number, to: number): Generator<Bucket> {
	// A day more on both sides, so that buckets at the edges of the range are whole.
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
	/** The first moment at which local time is `wall` or later. */
	const reached = (wall: number): number => {
		for (const [index, stretch] of stretches.entries()) {
			if (index > 0 && wall <= stretch.from + stretch.offset) return stretch.from;
			if (wall < stretch.to + stretch.offset || index === stretches.length - 1) return wall - stretch.offset;
		}
		throw new Error('a range of time always has an offset');
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

/** The beginning of the bucket that contains `wall`. Both are local times, as epoch ms as if they were UTC. */
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

/** The beginning of the bucket after the one that begins at the local time `wall`. */
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

/** Months since January 1970, in local time. */
function monthOf(wall: number): number {
	const date = new Date(wall);
	return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
}

function longestMs(length: BucketLength): number {
	if (length.unit === 'ms') return length.n;
	return length.unit === 'day' ? length.n * DAY_MS : length.n * LONGEST_MONTH_MS;
}
