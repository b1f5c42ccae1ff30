import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { observedTime } from './observed-time.ts';

const NOW = Date.UTC(2026, 10, 22, 10);
const DAY = 24 * 3600_000;
const YEAR_2000 = Date.UTC(2000, 0, 1);

describe('the time of a reading', () => {
	it('is the time of receipt if the device states none', () => {
		expect(observedTime(undefined, NOW)).toEqual({ observedAt: NOW, timeQuality: 'synced' });
	});

	it.each<[string, string]>([
		['2026-11-22T09:59:30Z', '2026-11-22T09:59:30.000Z'],
		['2026-11-22T10:59:30.25+01:00', '2026-11-22T09:59:30.250Z'],
		['2026-11-22T10:59:30,25+01', '2026-11-22T09:59:30.250Z'],
		['2026-11-22T10:59:30+0100', '2026-11-22T09:59:30.000Z'],
		['2026-11-22T04:29-05:30', '2026-11-22T09:59:00.000Z'],
		['2026-11-22 09:59', '2026-11-22T09:59:00.000Z'],
		['2026-11-22T09:59:30', '2026-11-22T09:59:30.000Z'],
		['2026-11-22T09:59:30.123456789Z', '2026-11-22T09:59:30.123Z'],
		['2024-02-29T12:00Z', '2024-02-29T12:00:00.000Z'],
		['2026-11-22', '2026-11-22T00:00:00.000Z'],
	])('stated as %s is %s, in whichever time zone the gateway is', (text, expected) => {
		expect(observedTime(text, NOW)).toEqual({ observedAt: Date.parse(expected), timeQuality: 'synced' });
	});

	it.each([
		'',
		'now',
		'22.11.2026',
		'2026-13-01',
		'2026-11-22T25:00Z',
		'1764000000000',
		'2026-11-22T10:00:00Zjunk',
		'Nov 22 2026',
		'+10000-01-01',
		'2026-02-30',
		'2025-02-29',
	])('stated as %o is refused', (text) => {
		expect(observedTime(text, NOW)).toMatchObject({ path: '/observedAt' });
	});

	it('is kept to the millisecond, as number or text, from 2000 to a day ahead', () => {
		fc.assert(
			fc.property(fc.integer({ min: YEAR_2000, max: NOW + DAY }), fc.boolean(), (at, asText) => {
				expect(observedTime(asText ? new Date(at).toISOString() : at, NOW)).toEqual({
					observedAt: at,
					timeQuality: 'synced',
				});
			}),
		);
	});

	it('is replaced by the time of receipt if it is impossible, and kept as the device stated it', () => {
		const impossible = fc.oneof(
			fc.integer({ min: -1e15, max: YEAR_2000 - 1 }),
			fc.integer({ min: NOW + DAY + 1, max: 1e15 }),
			fc.constantFrom(0, -0.5, 1e300, -1e300, Number.MAX_VALUE),
			fc.integer({ min: 0, max: YEAR_2000 - 1 }).map((at) => new Date(at).toISOString()),
		);
		fc.assert(
			fc.property(impossible, (stated) => {
				expect(observedTime(stated, NOW)).toEqual({ observedAt: NOW, timeQuality: 'unsynced', deviceTime: stated });
			}),
		);
	});
});
