import { CrowdVisionError } from '@crowdvision/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RateLimiter } from './rate-limiter.ts';

beforeEach(() => {
	vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
	vi.useRealTimers();
});

/** How many of `tries` messages pass. */
function taken(limit: RateLimiter, sender: string, tries: number): number {
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

describe('RateLimiter', () => {
	it('lets twice the rate pass at once, then the rate', () => {
		const limit = new RateLimiter(10);
		expect(taken(limit, 'a', 100)).toBe(20);
		vi.advanceTimersByTime(1000);
		expect(taken(limit, 'a', 100)).toBe(10);
		vi.advanceTimersByTime(60_000);
		expect(taken(limit, 'a', 100)).toBe(20);
	});

	it('counts each sender by itself', () => {
		const limit = new RateLimiter(5);
		expect(taken(limit, 'a', 100)).toBe(10);
		expect(taken(limit, 'b', 100)).toBe(10);
	});

	it('refuses with whole seconds to wait, after which a message passes', () => {
		const limit = new RateLimiter(1);
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

	it('remembers ten thousand senders, and forgets the oldest beyond that', () => {
		const limit = new RateLimiter(1);
		for (let i = 0; i < 10_000; i++) expect(taken(limit, `s${i}`, 3)).toBe(2);
		expect(taken(limit, 's0', 3)).toBe(0);
		limit.take('one more');
		expect(taken(limit, 's1', 3)).toBe(0);
		expect(taken(limit, 's0', 3)).toBe(2);
	});
});
