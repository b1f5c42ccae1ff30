import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RetryTimer } from './retry-timer.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
	vi.useRealTimers();
	vi.restoreAllMocks();
});

/** The delays of `count` retries in a row, ms. */
function delays(timer: RetryTimer, count: number): number[] {
	return Array.from({ length: count }, () => {
		const before = Date.now();
		let ran = Number.NaN;
		timer.schedule(() => {
			ran = Date.now();
		});
		vi.runAllTimers();
		return ran - before;
	});
}

describe('the retry timer', () => {
	it.each([
		[0, [50, 100, 200, 400, 500, 500]],
		[0.5, [75, 150, 300, 600, 750, 750]],
		[0.999, [99, 199, 399, 799, 999, 999]],
	])('doubles its delay up to the bound, spread over the upper half (random draw %d)', (draw, expected) => {
		vi.spyOn(Math, 'random').mockReturnValue(draw);
		expect(delays(new RetryTimer({ firstMs: 100, longestMs: 1000 }), 6)).toEqual(expected);
	});

	it('waits briefly again after a reset', () => {
		vi.spyOn(Math, 'random').mockReturnValue(0);
		const timer = new RetryTimer({ firstMs: 100, longestMs: 1000 });
		delays(timer, 4);
		timer.reset();
		expect(delays(timer, 2)).toEqual([50, 100]);
	});

	it('runs the last scheduled retry only, and none that was cancelled', () => {
		const ran: string[] = [];
		const timer = new RetryTimer({ firstMs: 100, longestMs: 1000 });
		timer.schedule(() => ran.push('replaced'));
		timer.schedule(() => ran.push('last'));
		vi.runAllTimers();
		timer.schedule(() => ran.push('cancelled'));
		timer.cancel();
		vi.runAllTimers();
		expect(ran).toEqual(['last']);
	});
});
