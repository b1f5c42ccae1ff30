import { describe, expect, it, onTestFinished } from 'vitest';
import { clockOffset, serviceNow, setClockOffset } from './service-clock.ts';

const SERVED = Date.parse('Sun, 22 Nov 2026 10:00:00 GMT');

describe("the services' clock", () => {
	it('has no offset where both clocks agree within the precision of the Date header', () => {
		expect(clockOffset('Sun, 22 Nov 2026 10:00:00 GMT', SERVED, SERVED + 900)).toBe(0);
	});

	it('is ahead by what one response shows when this device is an hour behind', () => {
		const sentAt = SERVED - 3_600_000;
		expect(clockOffset('Sun, 22 Nov 2026 10:00:00 GMT', sentAt, sentAt + 200)).toBe(3_600_400);
	});

	it('stays unknown after a response without a readable Date header', () => {
		expect(clockOffset(null, 0, 0)).toBeUndefined();
		expect(clockOffset('soon', 0, 0)).toBeUndefined();
	});

	it('keeps the last measured offset when a response shows none', () => {
		onTestFinished(() => setClockOffset(0));
		setClockOffset(3_600_000);
		setClockOffset(undefined);
		expect(serviceNow()).toBeGreaterThan(Date.now() + 3_500_000);
	});
});
