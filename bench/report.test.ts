import { describe, expect, it } from 'vitest';
import type { Measurement } from './measure.ts';
import { flatness, median, medianRatio, table } from './report.ts';

const run = (readingsPerSecond: number, more: Partial<Measurement> = {}): Measurement => ({
	readingsPerSecond,
	cpuPer1000: 0.01,
	peakMiB: 100,
	generatorCpu: 0.5,
	sent: 1000,
	unacknowledged: 0,
	refused: 0,
	rss: [],
	...more,
});

describe('the report', () => {
	it('takes the ratio within each round, and the median of the ratios', () => {
		expect(medianRatio([run(30), run(10), run(90)], [run(10), run(10), run(30)])).toBe(3);
		expect(median([4, Number.NaN, 1, 3, 2])).toBe(2.5);
	});

	it('says what happened to the readings, and leaves out empty columns', () => {
		const text = table('Load', {
			mosquitto: [run(100), run(100)],
			gateway: [
				run(130, { missing: 0, duplicates: 0, ack: { p50: 1, p99: 5 } }),
				run(150, { missing: 2, duplicates: 1 }),
			],
		});
		const [title, heads, ...rows] = text.split('\n');
		expect(title).toBe('Load');
		expect(heads).not.toContain('in Redis');
		expect(rows[0]).toMatch(/^mosquitto +100 +1\.00 x .* not looked up$/);
		expect(rows[1]).toMatch(/^gateway +140 +1\.40 x .* 1\.00 \/ 5\.00 .* 2 missing, 1 twice$/);
	});

	it('compares the second quarter of a long run with the last', () => {
		expect(flatness(run(1, { rss: [10, 10, 100, 100, 105, 105, 110, 110] }))).toContain(
			'100 MiB in the second quarter, 110 MiB in the last (+10.0 %)',
		);
	});
});
