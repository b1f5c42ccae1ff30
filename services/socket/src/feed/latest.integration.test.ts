import { readingOf } from '@crowdvision/testing/service-world';
import { describe, expect, it } from 'vitest';
import { LatestReadings } from './latest.ts';

const NOW = 1_764_000_000_000;
const HOUR = 3600_000;

/** A count of the hall with its position in the stream; received when it was observed unless given otherwise. */
const counted = (cursor: number, value: number, observedAt: number, more: object = {}) => ({
	...readingOf({ buildingId: 'b1', roomId: 'hall', metric: 'peopleCount', value, observedAt, receivedAt: observedAt }),
	...more,
	cursor: String(cursor),
});
const latestOf = (...readings: ReturnType<typeof counted>[]) => {
	const latest = new LatestReadings();
	for (const reading of readings) latest.add(reading);
	return latest.takeAll().map(({ value }) => value);
};

describe('P13 right in meaning: the latest values for a dashboard that cannot keep up', () => {
	it('are what came after a reading from twenty hours ahead', () => {
		expect(
			latestOf(
				counted(1, 2, NOW + 20 * HOUR, { receivedAt: NOW }),
				counted(2, 25, NOW + 1000),
				counted(3, 26, NOW + 2000),
			),
		).toEqual([26]);
	});

	it('are the reading from ahead itself while nothing came after it', () => {
		expect(latestOf(counted(1, 25, NOW - 1000), counted(2, 2, NOW + 20 * HOUR, { receivedAt: NOW }))).toEqual([2]);
	});

	it('are the last one of those received at the same moment, however far ahead they are', () => {
		expect(
			latestOf(
				counted(1, 7, NOW + 20 * HOUR, { receivedAt: NOW }),
				counted(2, 8, NOW + 2 * HOUR, { receivedAt: NOW }),
				counted(3, 9, NOW),
			),
		).toEqual([9]);
	});

	it('are not a reading that arrives late', () => {
		expect(latestOf(counted(1, 25, NOW), counted(2, 3, NOW - HOUR, { receivedAt: NOW + 1000 }))).toEqual([25]);
	});

	it('are one for each room, metric and generation of the room', () => {
		expect(
			latestOf(
				counted(1, 1, NOW),
				counted(2, 2, NOW, { roomId: 'lab' }),
				counted(3, 3, NOW, { metric: 'co2' }),
				counted(4, 4, NOW, { generation: 'g2' }),
				counted(5, 5, NOW + 1),
			),
		).toEqual([2, 3, 4, 5]);
	});
});
