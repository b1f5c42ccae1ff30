import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lastAtLocalTime } from './local-time.ts';

const at = (text: string) => Date.parse(text);

describe('lastAtLocalTime', () => {
	it.each([
		['an ordinary night', 'Europe/Rome', '04:00', '2026-02-10T12:00:00Z', '2026-02-10T03:00:00Z'],
		['a moment before the time', 'Europe/Rome', '04:00', '2026-02-10T02:59:59.999Z', '2026-02-09T03:00:00Z'],
		['the exact moment', 'Europe/Rome', '04:00', '2026-02-10T03:00:00Z', '2026-02-10T03:00:00Z'],
		['west of Greenwich', 'America/New_York', '23:30', '2026-02-10T12:00:00Z', '2026-02-10T04:30:00Z'],
		['far in the east', 'Pacific/Kiritimati', '00:00', '2026-02-10T09:59:00Z', '2026-02-09T10:00:00Z'],
		['an offset in quarters of an hour', 'Asia/Kathmandu', '04:00', '2026-02-10T12:00:00Z', '2026-02-09T22:15:00Z'],
		['a time shown twice in autumn: the first', 'Europe/Rome', '02:30', '2026-10-25T12:00:00Z', '2026-10-25T00:30:00Z'],
		['a time shown twice, between the two', 'Europe/Rome', '02:30', '2026-10-25T01:00:00Z', '2026-10-25T00:30:00Z'],
		[
			'a time skipped in spring: the old offset',
			'Europe/Rome',
			'02:30',
			'2026-03-29T12:00:00Z',
			'2026-03-29T01:30:00Z',
		],
		['a time after clocks were put forward', 'Europe/Rome', '04:00', '2026-03-29T12:00:00Z', '2026-03-29T02:00:00Z'],
		['a time after clocks were put back', 'Europe/Rome', '04:00', '2026-10-25T12:00:00Z', '2026-10-25T03:00:00Z'],
		[
			'clocks put forward by half an hour',
			'Australia/Lord_Howe',
			'02:15',
			'2026-10-04T00:00:00Z',
			'2026-10-03T15:45:00Z',
		],
	])('returns the last time that clocks showed it: %s', (_, zone, time, now, expected) => {
		expect(new Date(lastAtLocalTime(zone, time, at(now))).toISOString()).toBe(new Date(expected).toISOString());
	});

	it('returns one moment a day, all year, in every zone', () => {
		const zones = fc.constantFrom(
			'Europe/Rome',
			'America/St_Johns',
			'Australia/Lord_Howe',
			'Pacific/Apia',
			'UTC',
			'Africa/Casablanca',
		);
		const times = fc
			.tuple(fc.nat(23), fc.nat(59))
			.map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`);
		fc.assert(
			fc.property(zones, times, (zone, time) => {
				const nights = new Set<number>();
				const start = at('2026-01-01T00:00:00Z');
				let last = 0;
				for (let hour = 0; hour < 365 * 24; hour += 5) {
					const night = lastAtLocalTime(zone, time, start + hour * 3600_000);
					expect(night).toBeLessThanOrEqual(start + hour * 3600_000);
					expect(night).toBeGreaterThanOrEqual(last);
					last = night;
					nights.add(night);
				}
				expect(Math.abs(nights.size - 365)).toBeLessThanOrEqual(1);
			}),
			{ numRuns: 4 },
		);
	});
});
