import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Baseline, countTotal } from './cumulative-counter.ts';

const MINUTE = 60_000;
const limits = { wrapAt: undefined, perMinute: 200 };
const reported = (total: number, minutes: number, boot?: string): Baseline => ({ total, boot, at: minutes * MINUTE });

describe('countTotal', () => {
	it('counts all crossings, however often the counter wraps at the configured value', () => {
		fc.assert(
			fc.property(
				fc.integer({ min: 20, max: 70_000 }),
				fc.nat(69_999),
				fc.array(fc.nat(19), { maxLength: 200 }),
				(wrapAt, start, steps) => {
					let total = start % wrapAt;
					let before = countTotal(undefined, reported(total, 0), { ...limits, wrapAt }).baseline;
					let sum = 0;
					for (const [minute, step] of steps.entries()) {
						total = (total + step) % wrapAt;
						const counted = countTotal(before, reported(total, minute + 1), { ...limits, wrapAt });
						sum += counted.count;
						before = counted.baseline;
					}
					expect(sum).toBe(steps.reduce((all, step) => all + step, 0));
				},
			),
		);
	});

	it.each([2 ** 8, 2 ** 16, 2 ** 32])('recognizes a wrap at %d without configuration', (wrapAt) => {
		expect(countTotal(reported(wrapAt - 4, 0), reported(3, 1), limits)).toMatchObject({ count: 7, detected: 'wrap' });
	});

	it('never returns less than 0 or more than can have come through, whatever the counter reports', () => {
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
						const now = reported(total, minute, boot);
						// A leap that was not believed left everybody since then uncounted.
						const since = before ? Math.min(before.at, before.trusted?.at ?? before.at) : now.at;
						const minutes = Math.max(0, now.at - since) / MINUTE;
						const { count, baseline } = countTotal(before, now, { ...limits, wrapAt });
						expect(count).toBeGreaterThanOrEqual(0);
						expect(count).toBeLessThanOrEqual(Math.min(10_000, 50 + 200 * minutes));
						before = baseline;
					}
				},
			),
		);
	});

	it('counts nobody at the first total', () => {
		expect(countTotal(undefined, reported(51_234, 0), limits)).toMatchObject({ count: 0, detected: 'first' });
	});

	it('counts from 0 after a restart, recognized by another boot or by a total too small for a wrap', () => {
		expect(countTotal(reported(60_000, 0, 'a'), reported(4, 1, 'b'), limits)).toMatchObject({
			count: 4,
			detected: 'reset',
		});
		expect(countTotal(reported(65_530, 0, 'a'), reported(4, 1, 'b'), limits)).toMatchObject({
			count: 4,
			detected: 'reset',
		});
		expect(countTotal(reported(1000, 0), reported(4, 1), limits)).toMatchObject({ count: 4, detected: 'reset' });
		expect(countTotal(reported(30_000, 0), reported(4, 1), { ...limits, wrapAt: 65_536 })).toMatchObject({
			count: 4,
			detected: 'reset',
		});
	});

	it('counts nobody when a total jumps, and continues from there', () => {
		const leap = countTotal(reported(100, 0), reported(65_100, 1), limits);
		expect(leap).toMatchObject({ count: 0, detected: 'jump' });
		expect(countTotal(leap.baseline, reported(65_103, 2), limits)).toMatchObject({ count: 3 });
	});

	it('counts nobody for a message that is repeated or late', () => {
		const after = countTotal(reported(100, 0, 'a'), reported(110, 2, 'a'), limits);
		expect(countTotal(after.baseline, reported(110, 2, 'a'), limits).count).toBe(0);
		expect(countTotal(after.baseline, reported(105, 1, 'a'), limits)).toMatchObject({
			count: 0,
			detected: 'late',
			baseline: { total: 110 },
		});
		expect(countTotal(reported(2, 3, 'b'), reported(110, 2, 'a'), limits)).toMatchObject({
			count: 0,
			detected: 'late',
			baseline: { boot: 'b' },
		});
	});
});
