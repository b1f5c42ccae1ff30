import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketsOf, parseBucketLength } from './buckets.ts';

const HOUR = 3600_000;
const DAY = 24 * HOUR;
const at = (iso: string) => Date.parse(iso);
const buckets = (length: string, zone: string, from: string, to: string) =>
	bucketsOf(parseBucketLength(length)!, zone, at(from), at(to), 100_000)!;
const lengths = (...args: Parameters<typeof buckets>) => buckets(...args).map(({ start, end }) => (end - start) / HOUR);
const starts = (...args: Parameters<typeof buckets>) =>
	buckets(...args).map(({ start }) => new Date(start).toISOString());

describe('P9 bucketsOf, in the time zone of the building,', () => {
	it('gives a day 23 hours when the clocks go forward and 25 when they go back', () => {
		expect(lengths('1d', 'Europe/Rome', '2026-03-28T00:00+01:00', '2026-03-31T00:00+02:00')).toEqual([24, 23, 24]);
		expect(lengths('1d', 'Europe/Rome', '2026-10-24T00:00+02:00', '2026-10-27T00:00+01:00')).toEqual([24, 25, 24]);
		expect(lengths('1d', 'Australia/Lord_Howe', '2026-04-05T00:00+11:00', '2026-04-06T00:00+10:30')).toEqual([24.5]);
		expect(lengths('1d', 'Australia/Lord_Howe', '2026-10-04T00:00+10:30', '2026-10-05T00:00+11:00')).toEqual([23.5]);
	});

	it('gives two buckets for the repeated hour and none for the skipped one', () => {
		expect(starts('1h', 'Europe/Rome', '2026-10-25T01:00+02:00', '2026-10-25T04:00+01:00')).toEqual([
			'2026-10-24T23:00:00.000Z',
			'2026-10-25T00:00:00.000Z',
			'2026-10-25T01:00:00.000Z',
			'2026-10-25T02:00:00.000Z',
		]);
		expect(buckets('1h', 'Europe/Rome', '2026-10-25T00:00+02:00', '2026-10-26T00:00+01:00')).toHaveLength(25);
		expect(buckets('1h', 'Europe/Rome', '2026-03-29T00:00+01:00', '2026-03-30T00:00+02:00')).toHaveLength(23);
	});

	it('gives two buckets for a repeated half hour', () => {
		expect(lengths('1h', 'Australia/Lord_Howe', '2026-04-05T01:00+11:00', '2026-04-05T03:00+10:30')).toEqual([
			1, 0.5, 1,
		]);
		expect(lengths('1h', 'Australia/Lord_Howe', '2026-10-04T01:00+10:30', '2026-10-04T04:00+11:00')).toEqual([
			1, 0.5, 1,
		]);
		expect(lengths('6h', 'Australia/Lord_Howe', '2026-04-05T00:00+11:00', '2026-04-06T00:00+10:30')).toEqual([
			6.5, 6, 6, 6,
		]);
	});

	it('begins hours on the hour of local time', () => {
		expect(starts('1h', 'Asia/Kathmandu', '2026-11-20T00:00+05:45', '2026-11-20T02:00+05:45')).toEqual([
			'2026-11-19T18:15:00.000Z',
			'2026-11-19T19:15:00.000Z',
		]);
		expect(starts('1d', 'Asia/Kathmandu', '2026-11-20T00:00+05:45', '2026-11-21T00:00+05:45')).toEqual([
			'2026-11-19T18:15:00.000Z',
		]);
	});

	it("begins a day at one o'clock when midnight is skipped, and ends it after a repeated last hour", () => {
		expect(buckets('1d', 'America/Sao_Paulo', '2018-11-04T03:00Z', '2018-11-05T02:00Z')).toEqual([
			{ start: at('2018-11-04T03:00Z'), end: at('2018-11-05T02:00Z') },
		]);
		expect(lengths('1d', 'America/Sao_Paulo', '2018-02-17T02:00Z', '2018-02-19T03:00Z')).toEqual([25, 24]);
		expect(buckets('1h', 'America/Sao_Paulo', '2018-02-17T02:00Z', '2018-02-18T03:00Z')).toHaveLength(25);
	});

	it('begins weeks on Monday and months on the first', () => {
		expect(starts('1w', 'Europe/Rome', '2026-11-25T12:00+01:00', '2026-11-30T12:00+01:00')).toEqual([
			'2026-11-22T23:00:00.000Z',
			'2026-11-29T23:00:00.000Z',
		]);
		expect(starts('1mo', 'Europe/Rome', '2026-02-10T00:00Z', '2026-04-02T00:00Z')).toEqual([
			'2026-01-31T23:00:00.000Z',
			'2026-02-28T23:00:00.000Z',
			'2026-03-31T22:00:00.000Z',
		]);
		expect(starts('3mo', 'UTC', '2026-02-10T00:00Z', '2026-04-02T00:00Z')).toEqual([
			'2026-01-01T00:00:00.000Z',
			'2026-04-01T00:00:00.000Z',
		]);
	});

	it('covers every moment of the range once, for any zone, length and range', () => {
		const zone = fc.constantFrom(
			...[
				'UTC',
				'Europe/Rome',
				'Australia/Lord_Howe',
				'Asia/Kathmandu',
				'America/Sao_Paulo',
				'America/St_Johns',
				'Africa/Casablanca',
				'Pacific/Apia',
			],
		);
		const length = fc.constantFrom('5m', '7m', '1h', '2h', '5h', '1d', '2d', '1w', '1mo');
		const time = fc.integer({ min: at('2005-01-01T00:00Z'), max: at('2026-12-31T00:00Z') });
		fc.assert(
			fc.property(zone, length, time, fc.integer({ min: 1, max: 40 * DAY }), (zone, length, from, span) => {
				const got = bucketsOf(parseBucketLength(length)!, zone, from, from + span, 100_000)!;
				expect(got[0]!.start).toBeLessThanOrEqual(from);
				expect(got.at(-1)!.end).toBeGreaterThanOrEqual(from + span);
				expect(got.at(-1)!.start).toBeLessThan(from + span);
				const misplaced = got.filter(({ start, end }, n) => !(end > start) || (n > 0 && start !== got[n - 1]!.end));
				expect(misplaced).toEqual([]);
			}),
			{ numRuns: 300 },
		);
	});

	it('gives the same bucket wherever in it the range begins', () => {
		fc.assert(
			fc.property(fc.constantFrom('15m', '1h', '1d', '1w'), fc.integer({ min: 0, max: 400 * DAY }), (length, shift) => {
				const from = at('2026-01-01T00:00Z') + shift;
				const [first] = bucketsOf(parseBucketLength(length)!, 'Europe/Rome', from, from + 1, 10)!;
				expect(bucketsOf(parseBucketLength(length)!, 'Europe/Rome', first!.start, first!.end, 10)).toEqual([first]);
			}),
		);
	});
});

describe('parseBucketLength', () => {
	it.each(['', '0', '0h', '999', '1y', '-1h', '1.5h', '36h', '401d', '60w', '121mo', 'h'])('refuses %j', (text) => {
		expect(parseBucketLength(text)).toBeUndefined();
	});

	it('reads the same length in several units', () => {
		expect(parseBucketLength('60000')).toEqual(parseBucketLength('1m'));
		expect(parseBucketLength('48h')).toEqual(parseBucketLength('2d'));
	});
});
