import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SignInThrottle } from './sign-in-throttle.ts';

beforeEach(() => {
	vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
	vi.useRealTimers();
});

it('answers the first failed sign-ins of an address at once, later ones with a growing delay that time resets', () => {
	const throttle = new SignInThrottle();
	const waits = Array.from({ length: 200 }, () => throttle.failed('a'));
	expect(waits.slice(0, 20)).toEqual(Array(20).fill(0));
	expect(waits[20]).toBeGreaterThan(0);
	expect(waits).toEqual(waits.toSorted((one, other) => one - other));
	expect(waits.at(-1)).toBe(5000);
	expect(throttle.failed('b')).toBe(0);
	vi.advanceTimersByTime(10_000);
	expect(throttle.failed('a')).toBe(0);
});
