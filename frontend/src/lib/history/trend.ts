import { FRESHNESS_MS } from '@crowdvision/contracts';

/** A value at a moment (epoch ms); null where none is known, which breaks the line. */
export interface TrendPoint {
	at: number;
	value: number | null;
}

/** How far back a trend looks, and the buckets its past comes in. */
export const TREND_MS = 3 * 3600_000;
export const BUCKET_MS = 5 * 60_000;
/** Live points closer together than this are one, the later. */
const SLOT_MS = 30_000;
/** Points further apart than this are not joined: nobody knows what was between them. */
const GAP_MS = FRESHNESS_MS + BUCKET_MS;

/** Adds a live point in its place by time, keeps one per slot and none older than the trend. */
export function withPoint(points: readonly TrendPoint[], point: TrendPoint, now: number): readonly TrendPoint[] {
	if (point.at < now - TREND_MS) return points;
	const slot = Math.floor(point.at / SLOT_MS);
	const kept = points.filter(({ at }) => at >= now - TREND_MS && (Math.floor(at / SLOT_MS) !== slot || at > point.at));
	const later = kept.findIndex(({ at }) => at > point.at);
	if (later === -1) return [...kept, point];
	if (Math.floor(kept[later]!.at / SLOT_MS) === slot) return kept;
	return [...kept.slice(0, later), point, ...kept.slice(later)];
}

/** The past from history (`at`: start of a bucket), up to where the live points begin. */
export function joinTrend(history: readonly TrendPoint[], live: readonly TrendPoint[]): TrendPoint[] {
	const begin = live[0]?.at ?? Number.POSITIVE_INFINITY;
	const past = history
		.filter(({ at }) => at + BUCKET_MS <= begin)
		.map(({ at, value }) => ({ at: at + BUCKET_MS / 2, value }));
	return [...past, ...live];
}

/** What a trend looks like in a box of `width` x `height`: one run of x,y pairs per unbroken stretch. */
export interface TrendShape {
	runs: [number, number][][];
	/** Value at the upper edge; the lower edge is 0. */
	top: number;
	highest: number;
	first: number;
	last: number;
}

/**
 * Lays points out from `now - TREND_MS` (left) to `now` (right). Undefined where fewer than two values are known: no
 * trend yet.
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
	let before: TrendPoint | undefined;
	for (const point of shown) {
		if (point.value === null || (before && point.at - before.at > GAP_MS)) {
			if (run.length > 0) runs.push(run);
			run = [];
		}
		before = point.value === null ? undefined : point;
		if (point.value === null) continue;
		const x = Math.min(width, ((point.at - from) / TREND_MS) * width);
		run.push([round(x), round(height - (Math.max(0, point.value) / top) * height)]);
	}
	if (run.length > 0) runs.push(run);
	return { runs, top, highest, first: known[0]!, last: known.at(-1)! };
}

const round = (value: number) => Math.round(value * 10) / 10;
