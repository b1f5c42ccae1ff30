import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Baseline, countTotal } from './cumulative-counter.ts';

const MINUTE = 60_000;
const limits = { wrapAt: undefined, perMinute: 200 };
const said = (total: number, minutes: number, boot?: string): Baseline => ({ total, boot, at: minutes * MINUTE });

describe('the crossings between two totals of a counter', () => {
	it('are what it counted, however often and wherever it wraps, where that is configured', () => {
		fc.assert(
			fc.property(
				fc.integer({ min: 20, max: 70_000 }),
				fc.nat(69_999),
				fc.array(fc.nat(19), { maxLength: 200 }),
				(wrapAt, start, steps) => {
					let total = start % wrapAt;
					let before = countTotal(undefined, said(total, 0), { ...limits, wrapAt }).baseline;
					let sum = 0;
					for (const [minute, step] of steps.entries()) {
						total = (total + step) % wrapAt;
						const counted = countTotal(before, said(total, minute + 1), { ...limits, wrapAt });
						sum += counted.count;
						before = counted.baseline;
					}
					expect(sum).toBe(steps.reduce((all, step) => all + step, 0));
				},
			),
		);
	});

	it.each([2 ** 8, 2 ** 16, 2 ** 32])('are recognized beyond %d without a word of configuration', (wrapAt) => {
		expect(countTotal(said(wrapAt - 4, 0), said(3, 1), limits)).toMatchObject({ count: 7, detected: 'wrap' });
	});

	it('are never fewer than none nor more than can have come through, whatever the counter says', () => {
		const totals = fc.tuple(
			fc.oneof(fc.nat(300), fc.nat(70_000), fc.nat(2 ** 32), fc.maxSafeNat()),
			fc.nat(5000),
			fc.constantFrom(undefined, 'a', 'b'),
		);
		fc.assert(
			fc.property(
				fc.array(totals),
				fc.option(fc.integer({ min: 2, max: 2 ** 33 }), { nil: undefined }),
				(all, wrapAt) => {
					let before: Baseline | undefined;
					for (const [total, minute, boot] of all) {
						const now = said(total, minute, boot);
						const minutes = before ? Math.max(0, now.at - before.at) / MINUTE : 0;
						const { count, baseline } = countTotal(before, now, { ...limits, wrapAt });
						expect(count).toBeGreaterThanOrEqual(0);
						expect(count).toBeLessThanOrEqual(Math.min(10_000, 50 + 200 * minutes));
						before = baseline;
					}
				},
			),
		);
	});

	it('begin with nobody: what was counted before anybody listened is not counted', () => {
		expect(countTotal(undefined, said(51_234, 0), limits)).toMatchObject({ count: 0, detected: 'first' });
	});

	it('begin again from 0 with a device that restarted: by its boot, or by a total too small for a wrap', () => {
		expect(countTotal(said(60_000, 0, 'a'), said(4, 1, 'b'), limits)).toMatchObject({ count: 4, detected: 'reset' });
		expect(countTotal(said(65_530, 0, 'a'), said(4, 1, 'b'), limits)).toMatchObject({ count: 4, detected: 'reset' });
		expect(countTotal(said(1000, 0), said(4, 1), limits)).toMatchObject({ count: 4, detected: 'reset' });
		expect(countTotal(said(30_000, 0), said(4, 1), { ...limits, wrapAt: 65_536 })).toMatchObject({
			count: 4,
			detected: 'reset',
		});
	});

	it('are not 65,000 people when a total leaps, and go on from there', () => {
		const leap = countTotal(said(100, 0), said(65_100, 1), limits);
		expect(leap).toMatchObject({ count: 0, detected: 'jump' });
		expect(countTotal(leap.baseline, said(65_103, 2), limits)).toMatchObject({ count: 3 });
	});

	it('are told once by a message that comes again, and not again by one that comes late', () => {
		const after = countTotal(said(100, 0, 'a'), said(110, 2, 'a'), limits);
		expect(countTotal(after.baseline, said(110, 2, 'a'), limits).count).toBe(0);
		expect(countTotal(after.baseline, said(105, 1, 'a'), limits)).toMatchObject({
			count: 0,
			detected: 'late',
			baseline: { total: 110 },
		});
		expect(countTotal(said(2, 3, 'b'), said(110, 2, 'a'), limits)).toMatchObject({
			count: 0,
			detected: 'late',
			baseline: { boot: 'b' },
		});
	});
});
