import { describe, expect, it } from 'vitest';
import { layOut, timeTicks, valueTicks } from './plot.ts';

const HOUR = 3600_000;
const FROM = Date.UTC(2026, 2, 28);
const BOX = { width: 100, height: 50 };
const hours = (values: (number | null)[], coverage = 1) =>
	values.map((value, index) => ({ at: FROM + index * HOUR, value, coverage: value === null ? 0 : coverage }));
const plot = (points: ReturnType<typeof hours>) => layOut(points, FROM, FROM + points.length * HOUR, HOUR, BOX, true);

describe('a plot of history', () => {
	it('interrupts its line where the value is unknown, and marks that stretch', () => {
		const drawn = plot(hours([10, 10, null, null, 0]))!;
		expect(drawn.runs.map(({ points }) => points.length)).toEqual([2, 1]);
		expect(drawn.gaps).toEqual([[40, 80]]);
		expect(drawn.points[2]?.y).toBeNull();
	});

	it('draws 0 on the axis, and nothing where no value is known', () => {
		expect(plot(hours([10, 0]))?.points[1]?.y).toBe(50);
		expect(plot(hours([null, null]))).toBeUndefined();
	});

	it('draws partly measured buckets as a partial line, without a break', () => {
		const points = [...hours([1, 2]), ...hours([3, 4], 0.5).map((point) => ({ ...point, at: point.at + 2 * HOUR }))];
		const drawn = plot(points)!;
		expect(drawn.runs.map(({ partial }) => partial)).toEqual([false, true]);
		expect(drawn.runs[1]?.points[0]).toEqual(drawn.runs[0]?.points.at(-1));
	});

	it.each([
		[0, 23],
		[20.4, 21.1],
		[-3, 4],
		[7, 7],
		[0, 0],
		[400, 1987],
	])('has few, rising and round axis values that enclose %d to %d', (low, high) => {
		const ticks = valueTicks(low, high);
		expect(ticks.length).toBeGreaterThanOrEqual(2);
		expect(ticks.length).toBeLessThanOrEqual(7);
		expect(ticks[0]).toBeLessThanOrEqual(low);
		expect(ticks.at(-1)).toBeGreaterThanOrEqual(high);
		expect(ticks.at(-1)).toBeGreaterThan(ticks[0]!);
	});

	it('has a flat line at the limit of its metric at the top, as there is nothing above it', () => {
		expect(valueTicks(100, 100, 100)).toEqual([90, 92.5, 95, 97.5, 100]);
		expect(valueTicks(100, 100).at(-1)).toBeGreaterThan(100);
	});

	it('labels midnights of the building, also across a change to summer time', () => {
		const points = hours(Array.from({ length: 72 }, () => 1));
		const times = timeTicks(points, 'week', 'Europe/Rome').map((at) => new Date(at).toISOString());
		expect(times).toEqual(['2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z', '2026-03-30T22:00:00.000Z']);
	});
});
