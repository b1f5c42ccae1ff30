import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { setClockOffset } from '../../lib/requests/service-clock.ts';
import { fakeClock } from '../../testing/fake-clock.ts';
import { mount } from '../../testing/mount.ts';
import { useNow } from './use-now.ts';

beforeEach(() => fakeClock());

describe('P8 the time of the page', () => {
	it('moves on every second by itself', () => {
		const { result: now } = mount(useNow);
		const start = now.value;
		vi.advanceTimersByTime(3000);
		expect(now.value).toBe(start + 3000);
	});

	it("is the services' time, so that a wrong clock of this device makes nothing look fresh", () => {
		onTestFinished(() => setClockOffset(0));
		setClockOffset(3_600_000);
		const { result: now } = mount(useNow);
		expect(now.value).toBe(Date.now() + 3_600_000);
	});

	it('needs one timer for all its users, and none after the last of them', () => {
		const first = mount(useNow);
		const second = mount(useNow);
		expect(vi.getTimerCount()).toBe(1);
		first.unmount();
		vi.advanceTimersByTime(1000);
		expect(second.result.value).toBe(Date.now());
		second.unmount();
		expect(vi.getTimerCount()).toBe(0);
	});
});
