import { describe, expect, it } from 'vitest';
import type { SensorValue } from '../api/http.ts';
import { roomValue } from '../api/room-value.ts';
import { FRESHNESS_MS, freshMs, freshness, freshUntil } from './freshness.ts';
import { METRIC_KEYS, METRICS, type MetricDefinition } from './metrics.ts';

const NOW = 1_764_000_000_000;
const HOUR = 3600_000;
const heard = (ageMs: number, more: object = {}) => ({ observedAt: NOW - ageMs, ...more });

describe('P8 honest freshness: what a value is worth', () => {
	it('is no-data where nothing was ever heard', () => {
		expect(freshness('temperature', undefined, NOW)).toBe('no-data');
	});

	it.each(METRIC_KEYS)('of %s is live up to its deadline, stale after it', (metric) => {
		expect(freshness(metric, heard(freshMs(metric)), NOW)).toBe('live');
		expect(freshness(metric, heard(freshMs(metric) + 1), NOW)).toBe('stale');
		expect(freshUntil(metric, heard(0))).toBe(NOW + freshMs(metric));
	});

	it('goes by the default deadline for a metric that this program does not know', () => {
		expect(freshMs('constructor')).toBe(FRESHNESS_MS);
		expect(freshness('radon', heard(FRESHNESS_MS + 1), NOW)).toBe('stale');
	});

	it('is stuck when a sensor says the same for longer than its metric ever stays the same, and heals with the next change', () => {
		const { stuckMs } = METRICS.co2;
		expect(freshness('co2', heard(0, { unchangedSince: NOW - stuckMs }), NOW)).toBe('live');
		expect(freshness('co2', heard(0, { unchangedSince: NOW - stuckMs - 1 }), NOW)).toBe('stuck');
		expect(freshness('co2', heard(0, { unchangedSince: NOW }), NOW)).toBe('live');
		expect(freshness('co2', heard(FRESHNESS_MS + 1, { unchangedSince: NOW - 2 * stuckMs }), NOW)).toBe('stale');
	});

	it('is never stuck for what may well stay the same for days', () => {
		const steady = METRIC_KEYS.filter((key) => (METRICS[key] as MetricDefinition).stuckMs === undefined);
		expect(steady).toEqual(expect.arrayContaining(['peopleCount', 'peopleIn', 'peopleOut', 'battery', 'illuminance']));
		for (const metric of steady)
			expect(freshness(metric, heard(0, { unchangedSince: NOW - 1000 * HOUR }), NOW)).toBe('live');
	});

	it('is offline from when the device said that it is gone, until it speaks again', () => {
		expect(freshness('noise', heard(60_000, { offlineAt: NOW - 30_000 }), NOW)).toBe('offline');
		expect(freshness('noise', heard(2 * HOUR, { offlineAt: NOW - HOUR }), NOW)).toBe('offline');
		expect(freshness('noise', heard(10_000, { offlineAt: NOW - 30_000 }), NOW)).toBe('live');
		expect(freshUntil('noise', heard(60_000, { offlineAt: NOW - 30_000 }))).toBe(NOW - 30_000);
	});
});

describe('P8 honest freshness: a room of several sensors', () => {
	const sensor = (sensorId: string, value: number, ageMs: number, more: Partial<SensorValue> = {}): SensorValue => ({
		sensorId,
		value,
		observedAt: NOW - ageMs,
		...more,
	});
	const gone = { offlineAt: NOW };
	const stuck = { unchangedSince: NOW - 100 * HOUR };

	it('leaves out whoever is not heard from, whatever the reason', () => {
		const value = roomValue(
			'temperature',
			[sensor('a', 10, 1000, gone), sensor('b', 20, 0), sensor('c', 50, FRESHNESS_MS + 1)],
			NOW,
		);
		expect(value).toMatchObject({ value: 20, freshness: 'live', stale: false, freshUntil: NOW + FRESHNESS_MS });
	});

	it('counts one that is stuck, and says so where its value is the one quoted', () => {
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

	it('is offline when all are, and stale when one of them is only silent; neither is current', () => {
		const all = [sensor('a', 20, 2000, gone), sensor('b', 22, 1000, gone)];
		expect(roomValue('temperature', all, NOW)).toMatchObject({ value: 21, freshness: 'offline', stale: true });
		expect(roomValue('temperature', [...all, sensor('c', 24, FRESHNESS_MS + 1)], NOW)).toMatchObject({
			freshness: 'stale',
			stale: true,
		});
	});

	it('turns stale exactly when it said it would', () => {
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
