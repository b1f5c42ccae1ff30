import { afterEach, describe, expect, it } from 'vitest';
import { timeOfQuery } from './query-time.ts';

const at = (text: string | number) => {
	const time = timeOfQuery(text, '/from');
	return time === undefined ? undefined : new Date(time).toISOString();
};

describe('P14 a time in a query', () => {
	const { TZ } = process.env;
	afterEach(() => {
		if (TZ === undefined) delete process.env.TZ;
		else process.env.TZ = TZ;
	});

	it.each(['UTC', 'Europe/Rome', 'America/Los_Angeles', 'Pacific/Auckland'])(
		'without a zone is UTC on a machine in %s',
		(zone) => {
			process.env.TZ = zone;
			expect(at('2026-11-30T10:00')).toBe('2026-11-30T10:00:00.000Z');
			expect(at('2026-11-30 10:00:30')).toBe('2026-11-30T10:00:30.000Z');
			expect(at('2026-11-30')).toBe('2026-11-30T00:00:00.000Z');
		},
	);

	it.each([
		['1764496800000', '2025-11-30T10:00:00.000Z'],
		[1_764_496_800_000, '2025-11-30T10:00:00.000Z'],
		['0', '1970-01-01T00:00:00.000Z'],
		['2026-11-30T10:00:00Z', '2026-11-30T10:00:00.000Z'],
		['2026-11-30T10:00:00.25+01:00', '2026-11-30T09:00:00.250Z'],
		['2026-11-30T10:00:00[Europe/Rome]', '2026-11-30T09:00:00.000Z'],
		['2026-10-25T02:30[Europe/Rome]', '2026-10-25T00:30:00.000Z'],
		// What a + in a URL becomes.
		['2026-11-30T10:00:00 01:00', '2026-11-30T09:00:00.000Z'],
		['2026-11-30T10:00 0530', '2026-11-30T04:30:00.000Z'],
	])('reads %s', (text, expected) => {
		expect(at(text)).toBe(expected);
	});

	it.each([
		'',
		'now',
		'yesterday',
		'2026-02-31',
		'2026-13-01T00:00Z',
		'2026-11-30T25:00Z',
		'2026-11-30T10:61Z',
		'2026-11-30T10:00[Europe/Atlantis]',
		'Mon, 30 Nov 2026 10:00:00 GMT',
		'30.11.2026',
		'-1',
		'1e12',
		'NaN',
		'9999-12-31',
		`2026-11-30${'0'.repeat(200)}`,
	])('is refused with the path and what is allowed: "%s"', (text) => {
		expect(() => timeOfQuery(text, '/from')).toThrow(/^\/from must be epoch ms, or a time such as/);
	});

	it('is undefined where none is given', () => {
		expect(timeOfQuery(undefined, '/from')).toBeUndefined();
	});
});
