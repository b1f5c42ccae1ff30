import { describe, expect, it } from 'vitest';
import { layOut, levelsBetween, marksOf } from './plot.ts';

const HOUR = 3600_000;
const FROM = Date.UTC(2026, 2, 28);
const BOX = { width: 100, height: 50 };
const hours = (values: (number | null)[], coverage = 1) =>
	values.map((value, index) => ({ at: FROM + index * HOUR, value, coverage: value === null ? 0 : coverage }));
const plot = (points: ReturnType<typeof hours>) => layOut(points, FROM, FROM + points.length * HOUR, HOUR, BOX, true);

describe('a plot of history', () => {
	it('breaks its line where nothing is known, and marks that stretch', () => {
		const laid = plot(hours([10, 10, null, null, 0]))!;
		expect(laid.runs.map(({ points }) => points.length)).toEqual([2, 1]);
		expect(laid.gaps).toEqual([[40, 80]]);
		expect(laid.points[2]?.y).toBeNull();
	});

	it('tells 0 from nothing: 0 stands on the axis', () => {
		expect(plot(hours([10, 0]))?.points[1]?.y).toBe(50);
		expect(plot(hours([null, null]))).toBeUndefined();
	});

	it('draws what was known for a part of its time lighter, without a break', () => {
		const points = [...hours([1, 2]), ...hours([3, 4], 0.5).map((point) => ({ ...point, at: point.at + 2 * HOUR }))];
		const laid = plot(points)!;
		expect(laid.runs.map(({ partial }) => partial)).toEqual([false, true]);
		expect(laid.runs[1]?.points[0]).toEqual(laid.runs[0]?.points.at(-1));
	});

	it.each([
		[0, 23],
		[20.4, 21.1],
		[-3, 4],
		[7, 7],
		[0, 0],
		[400, 1987],
	])('has few, rising and round levels around %d to %d', (low, high) => {
		const levels = levelsBetween(low, high);
		expect(levels.length).toBeGreaterThanOrEqual(2);
		expect(levels.length).toBeLessThanOrEqual(7);
		expect(levels[0]).toBeLessThanOrEqual(low);
		expect(levels.at(-1)).toBeGreaterThanOrEqual(high);
		expect(levels.at(-1)).toBeGreaterThan(levels[0]!);
	});

	it('names midnights of the building, also across a change of its clocks', () => {
		const points = hours(Array.from({ length: 72 }, () => 1));
		const times = marksOf(points, 'week', 'Europe/Rome').map((at) => new Date(at).toISOString());
		expect(times).toEqual(['2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z', '2026-03-30T22:00:00.000Z']);
	});
});
