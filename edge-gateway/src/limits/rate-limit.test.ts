import { CrowdVisionError } from '@crowdvision/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RateLimit } from './rate-limit.ts';

beforeEach(() => {
	vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
	vi.useRealTimers();
});

/** How many of `tries` messages are taken. */
function taken(limit: RateLimit, sender: string, tries: number): number {
	let count = 0;
	for (let i = 0; i < tries; i++) {
		try {
			limit.take(sender);
			count++;
		} catch (error) {
			expect(error).toMatchObject({ code: 'rate_limited', status: 429 });
		}
	}
	return count;
}

describe('the messages of a sender', () => {
	it('are twice the rate at once, then the rate', () => {
		const limit = new RateLimit(10);
		expect(taken(limit, 'a', 100)).toBe(20);
		vi.advanceTimersByTime(1000);
		expect(taken(limit, 'a', 100)).toBe(10);
		vi.advanceTimersByTime(60_000);
		expect(taken(limit, 'a', 100)).toBe(20);
	});

	it('do not count for another sender', () => {
		const limit = new RateLimit(5);
		expect(taken(limit, 'a', 100)).toBe(10);
		expect(taken(limit, 'b', 100)).toBe(10);
	});

	it('are refused with whole seconds to wait, after which one is taken', () => {
		const limit = new RateLimit(1);
		expect(taken(limit, 'a', 3)).toBe(2);
		let refusal: unknown;
		try {
			limit.take('a');
		} catch (error) {
			refusal = error;
		}
		expect(refusal).toBeInstanceOf(CrowdVisionError);
		const { retryAfter } = refusal as CrowdVisionError;
		expect(retryAfter).toBe(1);
		vi.advanceTimersByTime(1000 * retryAfter!);
		expect(taken(limit, 'a', 2)).toBe(1);
	});

	it('are remembered of ten thousand senders, not of any number: the one heard of first is forgotten', () => {
		const limit = new RateLimit(1);
		for (let i = 0; i < 10_000; i++) expect(taken(limit, `s${i}`, 3)).toBe(2);
		expect(taken(limit, 's0', 3)).toBe(0);
		limit.take('one more');
		expect(taken(limit, 's1', 3)).toBe(0);
		expect(taken(limit, 's0', 3)).toBe(2);
	});
});
