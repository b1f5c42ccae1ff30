import type { HistoryPoint } from '@crowdvision/contracts';

/** The time spans of a history plot, with buckets as short as a screen can tell apart. */
export const RANGES = {
	day: { ms: 24 * 3600_000, bucket: '15m', bucketMs: 15 * 60_000 },
	week: { ms: 7 * 24 * 3600_000, bucket: '1h', bucketMs: 3600_000 },
	month: { ms: 30 * 24 * 3600_000, bucket: '6h', bucketMs: 6 * 3600_000 },
} as const;
export type Range = keyof typeof RANGES;

/** The drawing area of a plot, in its own units. */
export interface Box {
	width: number;
	height: number;
}

/** One bucket in the plot. `y` is null if its value is unknown. */
export interface PlotPoint extends HistoryPoint {
	x: number;
	y: number | null;
}

/** An unbroken part of the line. `partial`: its buckets were measured during a part of their time only. */
export interface Run {
	points: [number, number][];
	partial: boolean;
}

/** History laid out for drawing. */
export interface Plot {
	points: PlotPoint[];
	runs: Run[];
	/** Begin and end, in x, of each stretch without a value. */
	gaps: [number, number][];
	/** Labelled values of the vertical axis, with their y. */
	ticks: { value: number; y: number }[];
}

/** A bucket with a coverage below this is partial. */
const FULL_COVERAGE = 0.9;

/**
 * Draws history in `box`, from `from` (left) to `to` (right), both epoch ms. Undefined if no value is known at all:
 * that must not look like a line at 0.
 * @param zero whether the vertical axis begins at 0
 * @param max the highest value that there can be
 */
export function layOut(
	history: readonly HistoryPoint[],
	from: number,
	to: number,
	bucketMs: number,
	box: Box,
	zero: boolean,
	max?: number,
): Plot | undefined {
	const known = history.flatMap(({ value }) => (value === null ? [] : [value]));
	if (known.length === 0) return undefined;
	const values = valueTicks(zero ? Math.min(0, ...known) : Math.min(...known), Math.max(...known), max);
	const bottom = values[0]!;
	const top = values.at(-1)!;
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
		const previous = gaps.at(-1);
		const begin = x(at);
		if (previous && previous[1] >= begin - 0.1) previous[1] = x(at + bucketMs);
		else gaps.push([begin, x(at + bucketMs)]);
	}
	return { points, runs: runsOf(points), gaps, ticks: values.map((value) => ({ value, y: y(value) })) };
}

function runsOf(points: readonly PlotPoint[]): Run[] {
	const runs: Run[] = [];
	let previous: PlotPoint | undefined;
	for (const point of points) {
		if (point.y === null) {
			previous = undefined;
			continue;
		}
		const partial = point.coverage < FULL_COVERAGE;
		const run = runs.at(-1);
		if (previous && run && run.partial === partial) run.points.push([point.x, point.y]);
		else
			runs.push({
				partial,
				points: previous
					? [
							[previous.x, previous.y!],
							[point.x, point.y],
						]
					: [[point.x, point.y]],
			});
		previous = point;
	}
	return runs;
}

/**
 * Round, evenly spaced values that enclose `low` and `high`: two to seven of them. What is flat at `max` is at the top.
 */
export function valueTicks(low: number, high: number, max = Number.POSITIVE_INFINITY): number[] {
	if (low === high && low > 0 && low >= max) return valueTicks(low * 0.9, low, max);
	const span = high - low || Math.max(1, Math.abs(high) * 0.1);
	const raw = span / 4;
	const magnitude = 10 ** Math.floor(Math.log10(raw));
	const step = magnitude * ([1, 2, 2.5, 5].find((factor) => factor * magnitude >= raw) ?? 10);
	const first = Math.floor(low / step);
	const last = Math.max(first + 1, Math.ceil((high === low ? low + span : high) / step));
	return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

const TIME_TICKS: Record<Range, { every: number; of: 'hour' | 'day' }> = {
	day: { every: 4, of: 'hour' },
	week: { every: 1, of: 'day' },
	month: { every: 5, of: 'day' },
};

/** The buckets to label under a plot: round hours of a day, or midnights, by the clock of the time zone `zone`. */
export function timeTicks(points: readonly HistoryPoint[], range: Range, zone: string): number[] {
	const clock = new Intl.DateTimeFormat('en-GB', {
		timeZone: zone,
		hour: '2-digit',
		minute: '2-digit',
		hourCycle: 'h23',
	});
	const { every, of } = TIME_TICKS[range];
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
