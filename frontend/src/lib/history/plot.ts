import type { HistoryPoint } from '@crowdvision/contracts';

/** How far back a plot looks, and the buckets its values come in: as many as a screen can tell apart. */
export const RANGES = {
	day: { ms: 24 * 3600_000, bucket: '15m', bucketMs: 15 * 60_000 },
	week: { ms: 7 * 24 * 3600_000, bucket: '1h', bucketMs: 3600_000 },
	month: { ms: 30 * 24 * 3600_000, bucket: '6h', bucketMs: 6 * 3600_000 },
} as const;
export type Range = keyof typeof RANGES;

export interface Box {
	width: number;
	height: number;
}

/** One bucket in the plot. `y` is null where nothing is known. */
export interface PlotPoint extends HistoryPoint {
	x: number;
	y: number | null;
}

/** A stretch of the line without a break; `partial`: its values were known for a part of their time only. */
export interface Run {
	points: [number, number][];
	partial: boolean;
}

export interface Plot {
	points: PlotPoint[];
	runs: Run[];
	/** From and to, in x, where nothing is known. */
	gaps: [number, number][];
	/** Values along the axis, with their y. */
	levels: { value: number; y: number }[];
}

/** A bucket known for less of its time than this is drawn lighter. */
const WHOLE = 0.9;

/**
 * Lays history out in `box`, `from` at the left and `to` at the right (epoch ms). Undefined where nothing at all is
 * known: that is no line at 0.
 * `zero`: the axis begins at 0.
 */
export function layOut(
	history: readonly HistoryPoint[],
	from: number,
	to: number,
	bucketMs: number,
	box: Box,
	zero: boolean,
): Plot | undefined {
	const known = history.flatMap(({ value }) => (value === null ? [] : [value]));
	if (known.length === 0) return undefined;
	const levels = levelsBetween(zero ? Math.min(0, ...known) : Math.min(...known), Math.max(...known));
	const bottom = levels[0]!;
	const top = levels.at(-1)!;
	const x = (at: number) => round(Math.min(1, Math.max(0, (at - from) / (to - from))) * box.width);
	const y = (value: number) => round(box.height - ((value - bottom) / (top - bottom)) * box.height);
	const points = history.map((point) => ({
		...point,
		x: x(point.at + bucketMs / 2),
		y: point.value === null ? null : y(point.value),
	}));
	const gaps: [number, number][] = [];
	for (const { at, value } of history) {
		if (value !== null) continue;
		const before = gaps.at(-1);
		const begin = x(at);
		if (before && before[1] >= begin - 0.1) before[1] = x(at + bucketMs);
		else gaps.push([begin, x(at + bucketMs)]);
	}
	return { points, runs: runsOf(points), gaps, levels: levels.map((value) => ({ value, y: y(value) })) };
}

function runsOf(points: readonly PlotPoint[]): Run[] {
	const runs: Run[] = [];
	let before: PlotPoint | undefined;
	for (const point of points) {
		if (point.y === null) {
			before = undefined;
			continue;
		}
		const partial = point.coverage < WHOLE;
		const run = runs.at(-1);
		if (before && run && run.partial === partial) run.points.push([point.x, point.y]);
		else
			runs.push({
				partial,
				points: before
					? [
							[before.x, before.y!],
							[point.x, point.y],
						]
					: [[point.x, point.y]],
			});
		before = point;
	}
	return runs;
}

/** Round values from at or below `low` to at or above `high`: three to six of them, never one. */
export function levelsBetween(low: number, high: number): number[] {
	const span = high - low || Math.max(1, Math.abs(high) * 0.1);
	const raw = span / 4;
	const magnitude = 10 ** Math.floor(Math.log10(raw));
	const step = magnitude * ([1, 2, 2.5, 5].find((factor) => factor * magnitude >= raw) ?? 10);
	const first = Math.floor(low / step);
	const last = Math.max(first + 1, Math.ceil((high === low ? low + span : high) / step));
	return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

const MARKS: Record<Range, { every: number; of: 'hour' | 'day' }> = {
	day: { every: 4, of: 'hour' },
	week: { every: 1, of: 'day' },
	month: { every: 5, of: 'day' },
};

/** The buckets to name under a plot: round hours of a day, or midnights, as the clocks of `zone` have them. */
export function marksOf(points: readonly HistoryPoint[], range: Range, zone: string): number[] {
	const clock = new Intl.DateTimeFormat('en-GB', {
		timeZone: zone,
		hour: '2-digit',
		minute: '2-digit',
		hourCycle: 'h23',
	});
	const { every, of } = MARKS[range];
	let days = 0;
	return points.flatMap(({ at }) => {
		const [hour, minute] = clock.format(at).split(':').map(Number);
		if (of === 'hour') return minute === 0 && hour! % every === 0 ? [at] : [];
		if (hour !== 0 || minute !== 0) return [];
		days += 1;
		return (days - 1) % every === 0 ? [at] : [];
	});
}

const round = (value: number) => Math.round(value * 10) / 10;
