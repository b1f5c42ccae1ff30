import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ObservedTime, observedTime } from './observed-time.ts';

const NOW = Date.UTC(2026, 10, 22, 10);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const YEAR_2000 = Date.UTC(2000, 0, 1);
const at = (text: string) => ({ observedAt: Date.parse(text), timeQuality: 'synced' });

describe('the time of a reading', () => {
	it('is the time of receipt where the device says none', () => {
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
		['2026-11-21T24:00:00Z', '2026-11-22T00:00:00.000Z'],
	])('%s is %s, wherever the gateway stands', (text, expected) => {
		expect(observedTime(text, NOW)).toEqual(at(expected));
	});

	it.each([
		'',
		'now',
		'22.11.2026',
		'2026-13-01',
		'2026-11-22T25:00Z',
		'2026-11-22T24:01Z',
		'2026-11-22T09:60Z',
		'2026-11-22T09:59:30+24:00',
		'2026-11-22T09:59:30+01:60',
		'17640000000000',
		'20261122100000',
		'2026-11-22T10:00:00Zjunk',
		'2026-11-22T10:00:00[Europe/Atlantis]',
		'Nov 22 2026',
		'+10000-01-01',
		'2026-02-30',
		'2025-02-29',
		'0000-00-00T00:00:00Z',
	])('%o is none', (text) => {
		expect(observedTime(text, NOW)).toMatchObject({ path: '/observedAt' });
	});

	it('is kept to the millisecond, as number or text, from 2000 to a minute ahead', () => {
		fc.assert(
			fc.property(fc.integer({ min: YEAR_2000, max: NOW + MINUTE }), fc.boolean(), (time, asText) => {
				expect(observedTime(asText ? new Date(time).toISOString() : time, NOW)).toEqual({
					observedAt: time,
					timeQuality: 'synced',
				});
			}),
		);
	});

	it('is replaced by the time of receipt, and kept as the device told it, where it cannot be true', () => {
		const cannotBeTrue = fc.oneof(
			fc.integer({ min: -1e15, max: YEAR_2000 / 1000 - 1 }),
			fc.integer({ min: NOW + MINUTE + 1, max: Date.UTC(2100, 0, 1) - 1 }),
			fc.constantFrom(0, -0.5, 1e300, -1e300, Number.MAX_VALUE),
			fc.integer({ min: 0, max: YEAR_2000 - 1 }).map((time) => new Date(time).toISOString()),
		);
		fc.assert(
			fc.property(cannotBeTrue, (told) => {
				expect(observedTime(told, NOW)).toEqual({ observedAt: NOW, timeQuality: 'unsynced', deviceTime: told });
			}),
		);
	});
});

describe('P13 right in meaning: the time of a reading that lies ahead', () => {
	it.each<[string, number | string, ObservedTime]>([
		['a second ahead is its own', NOW + 1000, { observedAt: NOW + 1000, timeQuality: 'synced' }],
		['a minute ahead is its own', NOW + MINUTE, { observedAt: NOW + MINUTE, timeQuality: 'synced' }],
		...[NOW + MINUTE + 1, NOW + 20 * HOUR, (NOW + HOUR) / 1000, '2026-11-22T12:00:00+01:00', '2027-01-01'].map(
			(told): [string, number | string, ObservedTime] => [
				`${told} is not believed`,
				told,
				{ observedAt: NOW, timeQuality: 'unsynced', deviceTime: told },
			],
		),
	])('%s', (_text, told, expected) => {
		expect(observedTime(told, NOW)).toEqual(expected);
	});

	it('is not judged by a clock that is not known', () => {
		expect(observedTime(NOW - HOUR, NOW, { quality: 'unsynced' })).toEqual({
			observedAt: NOW,
			timeQuality: 'unsynced',
			deviceTime: NOW - HOUR,
		});
		expect(observedTime(NOW + HOUR, NOW, { quality: 'holdover' })).toMatchObject({ timeQuality: 'unsynced' });
	});
});

describe('P13 right in meaning: the time of a reading as a number since 1970', () => {
	it.each<[number | string, string]>([
		[1_795_341_540, '2026-11-22T09:59:00.000Z'],
		[1_795_341_540.5, '2026-11-22T09:59:00.500Z'],
		[1_795_341_540_000, '2026-11-22T09:59:00.000Z'],
		[1_795_341_540_123.7, '2026-11-22T09:59:00.124Z'],
		[1_795_341_540_000_000, '2026-11-22T09:59:00.000Z'],
		[1_795_341_540_000_000_000, '2026-11-22T09:59:00.000Z'],
		[946_684_800, '2000-01-01T00:00:00.000Z'],
		[946_684_800_000, '2000-01-01T00:00:00.000Z'],
		['1795341540', '2026-11-22T09:59:00.000Z'],
		['1795341540000', '2026-11-22T09:59:00.000Z'],
		['1795341540.25', '2026-11-22T09:59:00.250Z'],
	])('%s is %s: only one unit makes a year of this century', (told, expected) => {
		expect(observedTime(told, NOW)).toEqual(at(expected));
	});

	it('is the same moment in each of the four units', () => {
		fc.assert(
			fc.property(fc.integer({ min: YEAR_2000 / 1000, max: NOW / 1000 }), (seconds) => {
				for (const factor of [1, 1e3, 1e6, 1e9])
					expect(observedTime(seconds * factor, NOW)).toEqual({ observedAt: seconds * 1000, timeQuality: 'synced' });
			}),
		);
	});
});

describe('P13 right in meaning: the time of a reading in every spelling of RFC 3339', () => {
	// Sections 5.6 and 5.8: lower case, a space, any number of digits after the second, the unknown offset -00:00.
	it.each<[string, string]>([
		['1985-04-12T23:20:50.52Z', '1985-04-12T23:20:50.520Z'],
		['2026-11-22t09:59:30z', '2026-11-22T09:59:30.000Z'],
		['2026-11-22 09:59:30Z', '2026-11-22T09:59:30.000Z'],
		['2026-11-22 09:59:30.5z', '2026-11-22T09:59:30.500Z'],
		['2026-11-22T09:59:30-00:00', '2026-11-22T09:59:30.000Z'],
		['2026-11-22T09:59:30+00:00', '2026-11-22T09:59:30.000Z'],
		['2026-11-22T01:59:57-08:00', '2026-11-22T09:59:57.000Z'],
		['2026-11-22T10:19:27.87+00:20', '2026-11-22T09:59:27.870Z'],
		['2026-11-22T23:59:00+14:00', '2026-11-22T09:59:00.000Z'],
		['2026-11-22T09:59:30.1234567890123456789Z', '2026-11-22T09:59:30.123Z'],
		['2026-11-22T09:59:30.9999Z', '2026-11-22T09:59:30.999Z'],
		['2026-11-22T09:59:30.000Z', '2026-11-22T09:59:30.000Z'],
		// Section 5.7: the leap second of 2016, in UTC and elsewhere.
		['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
		['2016-12-31T15:59:60-08:00', '2017-01-01T00:00:00.000Z'],
		['2017-01-01T05:29:60.5+05:30', '2017-01-01T00:00:00.500Z'],
		['2015-06-30T23:59:60z', '2015-07-01T00:00:00.000Z'],
	])('%s is %s', (text, expected) => {
		const { observedAt, timeQuality } = { observedAt: Date.parse(expected), timeQuality: 'synced' };
		if (observedAt < YEAR_2000)
			expect(observedTime(text, NOW)).toMatchObject({ timeQuality: 'unsynced', deviceTime: text });
		else expect(observedTime(text, NOW)).toEqual({ observedAt, timeQuality });
	});

	it.each(['2026-11-22T09:59:60Z', '2016-12-31T23:59:60+01:00', '2016-12-30T23:59:60Z', '2016-12-31T23:59:61Z'])(
		'%s is no leap second',
		(text) => {
			expect(observedTime(text, NOW)).toMatchObject({ path: '/observedAt' });
		},
	);
});

describe('P13 right in meaning: the time of a reading that is local', () => {
	const read = (text: string, receivedAt: string, previous?: string, zone = 'Europe/Rome') => {
		const time = observedTime(text, Date.parse(receivedAt), {
			zone,
			previous: () => (previous === undefined ? undefined : Date.parse(previous)),
		});
		return 'observedAt' in time ? new Date(time.observedAt).toISOString() : time;
	};

	it.each<[string, string, string, string]>([
		['in winter', '2026-11-22T11:00:00', '2026-11-22T10:00:10Z', '2026-11-22T10:00:00.000Z'],
		['in summer', '2026-07-01T12:00:00', '2026-07-01T10:00:10Z', '2026-07-01T10:00:00.000Z'],
		['without seconds', '2026-07-01 12:00', '2026-07-01T10:00:10Z', '2026-07-01T10:00:00.000Z'],
		['with an offset, which counts', '2026-07-01T12:00:00+09:00', '2026-07-01T10:00:00Z', '2026-07-01T03:00:00.000Z'],
		['with a zone of its own', '2026-07-01T12:00:00[Asia/Tokyo]', '2026-07-01T10:00:00Z', '2026-07-01T03:00:00.000Z'],
		['before the hour that comes twice', '2026-10-25T01:59:59', '2026-10-25T00:00:05Z', '2026-10-24T23:59:59.000Z'],
		['in that hour, the first time', '2026-10-25T02:30:00', '2026-10-25T00:30:05Z', '2026-10-25T00:30:00.000Z'],
		['in that hour, the second time', '2026-10-25T02:30:00', '2026-10-25T01:30:05Z', '2026-10-25T01:30:00.000Z'],
		['after it', '2026-10-25T03:00:00', '2026-10-25T02:00:05Z', '2026-10-25T02:00:00.000Z'],
		['before the hour that is left out', '2026-03-29T01:59:59', '2026-03-29T01:00:05Z', '2026-03-29T00:59:59.000Z'],
		['in it, by a clock not put forward', '2026-03-29T02:30:00', '2026-03-29T01:30:05Z', '2026-03-29T01:30:00.000Z'],
		['after it', '2026-03-29T03:00:00', '2026-03-29T01:00:05Z', '2026-03-29T01:00:00.000Z'],
	])('%s: %s, received %s, is %s', (_text, told, receivedAt, expected) => {
		expect(read(told, receivedAt)).toBe(expected);
	});

	it('is told apart by the order of the readings where a backlog comes from the hour that clocks show twice', () => {
		let previous = '2026-10-24T23:50:00.000Z';
		const minutes = ['02:10', '02:30', '02:50', '02:10', '02:30', '02:50', '03:10'].map((minute) => {
			previous = read(`2026-10-25T${minute}:00`, '2026-10-25T09:00:00Z', previous) as string;
			return previous.slice(11, 16);
		});
		expect(minutes).toEqual(['00:10', '00:30', '00:50', '01:10', '01:30', '01:50', '02:10']);
	});

	it('names its zone where it is kept to be judged later', () => {
		const context = { quality: 'unsynced', zone: 'Europe/Rome' } as const;
		const kept = observedTime('2026-10-25T02:30:00', NOW, context) as ObservedTime;
		expect(kept.deviceTime).toBe('2026-10-25T02:30:00[Europe/Rome]');
		expect(observedTime(kept.deviceTime, Date.parse('2026-10-25T00:31:00Z'))).toEqual(at('2026-10-25T00:30:00Z'));
	});

	it('comes out as it was, in every zone and all year round, when a reading is sent at once', () => {
		const zones = ['Europe/Rome', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC'];
		fc.assert(
			fc.property(
				fc.integer({ min: Date.UTC(2025, 0, 1) / 1000, max: Date.UTC(2027, 0, 1) / 1000 }),
				fc.constantFrom(...zones),
				(seconds, zone) => {
					const wall = new Date(seconds * 1000).toLocaleString('sv-SE', { timeZone: zone });
					expect(observedTime(wall, seconds * 1000 + 500, { zone })).toEqual({
						observedAt: seconds * 1000,
						timeQuality: 'synced',
					});
				},
			),
		);
	});
});
