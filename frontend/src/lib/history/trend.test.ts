import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUCKET_MS, joinTrend, shapeTrend, TREND_MS, type TrendPoint, withPoint } from './trend.ts';

const NOW = 1_764_000_000_000;
const minutesAgo = (minutes: number, value: number | null = 1): TrendPoint => ({ at: NOW - minutes * 60_000, value });

describe('live points of a trend', () => {
	it('stay ordered by time, bounded and within the span, whatever order they arrive in', () => {
		fc.assert(
			fc.property(fc.array(fc.integer({ min: -TREND_MS * 2, max: 0 }), { maxLength: 600 }), (ages) => {
				let points: readonly TrendPoint[] = [];
				for (const [value, age] of ages.entries()) points = withPoint(points, { at: NOW + age, value }, NOW);
				expect(points.map(({ at }) => at)).toEqual(points.map(({ at }) => at).sort((a, b) => a - b));
				expect(points.length).toBeLessThanOrEqual(TREND_MS / 30_000 + 1);
				expect(points.every(({ at }) => at >= NOW - TREND_MS)).toBe(true);
			}),
		);
	});

	it('keep the last value of each half minute', () => {
		const start = Math.floor(NOW / 30_000) * 30_000;
		let points: readonly TrendPoint[] = [];
		for (const [offset, value] of [
			[1000, 1],
			[2000, 2],
			[1500, 9],
			[31_000, 3],
		] as const) {
			points = withPoint(points, { at: start + offset, value }, NOW + 60_000);
		}
		expect(points.map(({ value }) => value)).toEqual([2, 3]);
	});
});

describe('a trend', () => {
	it('joins history to the live points without showing a moment twice', () => {
		const history = [minutesAgo(20, 1), minutesAgo(15, 2), minutesAgo(10, 3), minutesAgo(5, 4)];
		const joined = joinTrend(history, [minutesAgo(7, 9)]);
		expect(joined.map(({ value }) => value)).toEqual([1, 2, 9]);
		expect(joined[0]?.at).toBe(history[0]!.at + BUCKET_MS / 2);
	});

	it('is the whole history when there are no live points yet', () => {
		expect(joinTrend([minutesAgo(10), minutesAgo(5)], [])).toHaveLength(2);
	});

	it('has a gap where the value is unknown, and is not drawn as 0 there', () => {
		const shape = shapeTrend(
			[minutesAgo(30, 5), minutesAgo(25, 6), minutesAgo(20, null), minutesAgo(15, 7)],
			NOW,
			100,
			10,
		);
		expect(shape?.runs.map((run) => run.length)).toEqual([2, 1]);
		expect(shape?.runs.flat().every(([, y]) => y < 10)).toBe(true);
	});

	it('has a gap between points that are too far apart', () => {
		const shape = shapeTrend([minutesAgo(60, 5), minutesAgo(20, 6), minutesAgo(15, 6)], NOW, 100, 10);
		expect(shape?.runs.map((run) => run.length)).toEqual([1, 2]);
	});

	it.each([6, 10, 60])('is one line for a sensor that sends every %s minutes and whose values hold (P13)', (every) => {
		const held = ({ at, value }: TrendPoint) => ({ at, value, until: at + every * 2.5 * 60_000 });
		const points = [3, 2, 1, 0].map((n) => held(minutesAgo(n * every, n)));
		expect(shapeTrend(points, NOW + 60_000, 100, 10)?.runs.map((run) => run.length)).toEqual([
			points.filter(({ at }) => at >= NOW + 60_000 - TREND_MS).length,
		]);
	});

	it('has a gap where a point comes long after the one before it was current, however rarely its sensor sends', () => {
		const held = { ...minutesAgo(100, 5), until: NOW - 75 * 60_000 };
		const runs = (next: number) =>
			shapeTrend([held, minutesAgo(next), minutesAgo(0)], NOW, 100, 10)?.runs.map((run) => run.length);
		expect(runs(75)).toEqual([2, 1]);
		expect(runs(60)).toEqual([1, 1, 1]);
	});

	it('does not exist for fewer than two known values', () => {
		expect(shapeTrend([], NOW, 100, 10)).toBeUndefined();
		expect(shapeTrend([minutesAgo(5, 3), minutesAgo(1, null)], NOW, 100, 10)).toBeUndefined();
	});

	it('starts at 0, stays in its box, and gives its highest and its last value', () => {
		const shape = shapeTrend([minutesAgo(180, 0), minutesAgo(175, 40), minutesAgo(0, 20)], NOW, 100, 10);
		expect(shape).toMatchObject({ highest: 40, last: 20, first: 0 });
		expect(shape?.runs[0]?.[0]).toEqual([0, 10]);
		expect(shape?.runs.flat().every(([x, y]) => x >= 0 && x <= 100 && y >= 0 && y <= 10)).toBe(true);
	});

	it('is a flat line for a room that stayed empty', () => {
		expect(
			shapeTrend([minutesAgo(10, 0), minutesAgo(5, 0)], NOW, 100, 10)
				?.runs.flat()
				.map(([, y]) => y),
		).toEqual([10, 10]);
	});
});
