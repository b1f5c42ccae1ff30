import { FRESHNESS_MS } from '@crowdvision/contracts';

/** A point of a trend, the small line on a room's card: time (epoch ms) and value; null if the value is unknown. */
export interface TrendPoint {
	at: number;
	value: number | null;
	/** Until when the value counts as current, epoch ms. Default: as long as values usually do. */
	until?: number;
}

/** The time span of a trend, and the length of the history buckets it begins with. */
export const TREND_MS = 3 * 3600_000;
export const BUCKET_MS = 5 * 60_000;
/** At most one live point is kept per slot of this length: the latest. */
const SLOT_MS = 30_000;
/** A point that comes so long after the one before it was current is not connected to it: it is a gap. */
const GRACE_MS = BUCKET_MS;

/** Inserts a live point in order of time; keeps the latest point of each slot and none older than the trend. */
export function withPoint(points: readonly TrendPoint[], point: TrendPoint, now: number): readonly TrendPoint[] {
	if (point.at < now - TREND_MS) return points;
	const slot = Math.floor(point.at / SLOT_MS);
	const others = points.filter(
		({ at }) => at >= now - TREND_MS && (Math.floor(at / SLOT_MS) !== slot || at > point.at),
	);
	const later = others.findIndex(({ at }) => at > point.at);
	if (later === -1) return [...others, point];
	if (Math.floor(others[later]!.at / SLOT_MS) === slot) return others;
	return [...others.slice(0, later), point, ...others.slice(later)];
}

/** History (`at`: start of a bucket) up to the first live point, followed by the live points. */
export function joinTrend(history: readonly TrendPoint[], live: readonly TrendPoint[]): TrendPoint[] {
	const liveFrom = live[0]?.at ?? Number.POSITIVE_INFINITY;
	const past = history
		.filter(({ at }) => at + BUCKET_MS <= liveFrom)
		.map(({ at, value }) => ({ at: at + BUCKET_MS / 2, value }));
	return [...past, ...live];
}

/** A trend drawn in a box of `width` x `height`. */
export interface TrendShape {
	/** The x,y pairs of each unbroken part of the line. */
	runs: [number, number][][];
	/** Value at the upper edge of the box; the lower edge is 0. */
	top: number;
	highest: number;
	first: number;
	last: number;
}

/**
 * Draws points from `now - TREND_MS` (left) to `now` (right). Undefined if fewer than two values are known: that is not
 * a trend yet.
 */
export function shapeTrend(
	points: readonly TrendPoint[],
	now: number,
	width: number,
	height: number,
): TrendShape | undefined {
	const from = now - TREND_MS;
	const shown = points.filter(({ at }) => at >= from);
	const known = shown.flatMap(({ value }) => (value === null ? [] : [value]));
	if (known.length < 2) return undefined;
	const highest = Math.max(...known);
	const top = Math.max(highest, 1) * 1.15;
	const runs: [number, number][][] = [];
	let run: [number, number][] = [];
	let previous: TrendPoint | undefined;
	for (const point of shown) {
		if (point.value === null || (previous && point.at > currentUntil(previous) + GRACE_MS)) {
			if (run.length > 0) runs.push(run);
			run = [];
		}
		previous = point.value === null ? undefined : point;
		if (point.value === null) continue;
		const x = Math.min(width, ((point.at - from) / TREND_MS) * width);
		run.push([round(x), round(height - (Math.max(0, point.value) / top) * height)]);
	}
	if (run.length > 0) runs.push(run);
	return { runs, top, highest, first: known[0]!, last: known.at(-1)! };
}

const currentUntil = ({ at, until = at + FRESHNESS_MS }: TrendPoint): number => until;

const round = (value: number) => Math.round(value * 10) / 10;
