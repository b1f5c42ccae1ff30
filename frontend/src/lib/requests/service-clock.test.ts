import { describe, expect, it } from 'vitest';
import { clockOffset } from './service-clock.ts';

const SERVED = Date.parse('Sun, 22 Nov 2026 10:00:00 GMT');

describe("the services' clock", () => {
	it('is this device’s own where they agree within what a Date header can tell', () => {
		expect(clockOffset('Sun, 22 Nov 2026 10:00:00 GMT', SERVED, SERVED + 900)).toBe(0);
	});

	it('is found from an answer when this device is an hour behind', () => {
		const here = SERVED - 3_600_000;
		expect(clockOffset('Sun, 22 Nov 2026 10:00:00 GMT', here, here + 200)).toBe(3_600_400);
	});

	it('is not known from an answer that does not tell', () => {
		expect(clockOffset(null, 0, 0)).toBeUndefined();
		expect(clockOffset('soon', 0, 0)).toBeUndefined();
	});
});
