import { describe, expect, it } from 'vitest';
import { FRESHNESS_MS } from '../reading/freshness.ts';
import type { SensorValue } from './http.ts';
import { roomValue } from './room-value.ts';

const NOW = 1_764_000_000_000;
const HOUR = 3600_000;
const sensor = (sensorId: string, value: number, ageMs = 0, more: Partial<SensorValue> = {}): SensorValue => ({
	sensorId,
	value,
	observedAt: NOW - ageMs,
	...more,
});

describe('the value of a room', () => {
	it('is unknown, not 0, without a sensor', () => {
		expect(roomValue('peopleCount', [], NOW)).toBeUndefined();
	});

	it('is the latest value for a count, the mean for a temperature, the worst for the air', () => {
		const sensors = [sensor('a', 10, 2000), sensor('b', 30, 1000)];
		expect(roomValue('peopleCount', sensors, NOW)).toMatchObject({
			value: 30,
			sensorId: 'b',
			unit: 'person',
			stale: false,
		});
		expect(roomValue('temperature', sensors, NOW)).toMatchObject({ value: 20, unit: 'degC' });
		expect(roomValue('co2', [sensor('a', 900, 2000), sensor('b', 700)], NOW)).toMatchObject({
			value: 900,
			sensorId: 'a',
			observedAt: NOW - 2000,
		});
		expect(roomValue('peopleIn', sensors, NOW)).toMatchObject({ value: 40 });
	});

	it('ignores a silent sensor while another sends, and is stale only when all are silent', () => {
		const silent = sensor('silent', 50, FRESHNESS_MS + 1);
		expect(roomValue('temperature', [silent, sensor('live', 20)], NOW)).toMatchObject({ value: 20, stale: false });
		expect(roomValue('temperature', [silent], NOW)).toMatchObject({
			value: 50,
			stale: true,
			observedAt: silent.observedAt,
		});
	});

	it('lists the sensors if there are several', () => {
		expect(roomValue('co2', [sensor('a', 1)], NOW)).not.toHaveProperty('sensors');
		expect(roomValue('co2', [sensor('a', 1), sensor('b', 2)], NOW)?.sensors).toHaveLength(2);
	});
});

describe('P8 the freshness of a room with several sensors', () => {
	const gone = { offlineAt: NOW };
	const stuck = { unchangedSince: NOW - 100 * HOUR };

	it('ignores sensors that are not current, for whatever reason', () => {
		const value = roomValue(
			'temperature',
			[sensor('a', 10, 1000, gone), sensor('b', 20, 0), sensor('c', 50, FRESHNESS_MS + 1)],
			NOW,
		);
		expect(value).toMatchObject({ value: 20, freshness: 'live', stale: false, freshUntil: NOW + FRESHNESS_MS });
	});

	it('uses a stuck sensor, and is stuck if its value is the one quoted', () => {
		expect(roomValue('co2', [sensor('a', 900, 0, stuck), sensor('b', 500, 0)], NOW)).toMatchObject({
			value: 900,
			freshness: 'stuck',
			stale: false,
		});
		expect(roomValue('co2', [sensor('a', 400, 0, stuck), sensor('b', 500, 0)], NOW)).toMatchObject({
			value: 500,
			freshness: 'live',
		});
		expect(roomValue('temperature', [sensor('a', 20, 0, stuck), sensor('b', 22, 0)], NOW)).toMatchObject({
			value: 21,
			freshness: 'live',
		});
		expect(roomValue('temperature', [sensor('a', 20, 0, stuck)], NOW)).toMatchObject({
			freshness: 'stuck',
			unchangedSince: stuck.unchangedSince,
		});
	});

	it('is offline when all sensors are, and stale when one of them is only silent', () => {
		const all = [sensor('a', 20, 2000, gone), sensor('b', 22, 1000, gone)];
		expect(roomValue('temperature', all, NOW)).toMatchObject({ value: 21, freshness: 'offline', stale: true });
		expect(roomValue('temperature', [...all, sensor('c', 24, FRESHNESS_MS + 1)], NOW)).toMatchObject({
			freshness: 'stale',
			stale: true,
		});
	});

	it('becomes stale exactly at the announced time', () => {
		const sensors = [sensor('a', 20, 100_000), sensor('b', 22, 1000)];
		const until = roomValue('temperature', sensors, NOW)!.freshUntil;
		expect(roomValue('temperature', sensors, until)).toMatchObject({ stale: false });
		expect(roomValue('temperature', sensors, until + 1)).toMatchObject({ stale: true, freshUntil: until });
	});

	it('quotes the same sensor in whatever order they are given', () => {
		const sensors = [sensor('b', 2, 0), sensor('c', 3, 0), sensor('a', 1, 0)];
		expect(roomValue('peopleCount', sensors, NOW)).toMatchObject({ sensorId: 'c', value: 3 });
		expect(roomValue('peopleCount', sensors.toReversed(), NOW)).toMatchObject({ sensorId: 'c', value: 3 });
	});
});
