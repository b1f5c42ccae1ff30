import { describe, expect, it } from 'vitest';
import { FRESHNESS_MS, freshMs, freshness, freshUntil } from './freshness.ts';
import { METRIC_KEYS, METRICS, type MetricDefinition } from './metrics.ts';

const NOW = 1_764_000_000_000;
const HOUR = 3600_000;
const times = (ageMs: number, more: object = {}) => ({ observedAt: NOW - ageMs, ...more });

describe('P8 the freshness of a value', () => {
	it('is no-data if none was ever received', () => {
		expect(freshness('temperature', undefined, NOW)).toBe('no-data');
	});

	it.each(METRIC_KEYS)('of %s is live up to its deadline and stale after it', (metric) => {
		expect(freshness(metric, times(freshMs(metric)), NOW)).toBe('live');
		expect(freshness(metric, times(freshMs(metric) + 1), NOW)).toBe('stale');
		expect(freshUntil(metric, times(0))).toBe(NOW + freshMs(metric));
	});

	it('uses the default deadline for an unknown metric', () => {
		expect(freshMs('constructor')).toBe(FRESHNESS_MS);
		expect(freshness('radon', times(FRESHNESS_MS + 1), NOW)).toBe('stale');
	});

	it('is stuck when the value stays the same for longer than its metric ever does, until it changes', () => {
		const { stuckMs } = METRICS.co2;
		expect(freshness('co2', times(0, { unchangedSince: NOW - stuckMs }), NOW)).toBe('live');
		expect(freshness('co2', times(0, { unchangedSince: NOW - stuckMs - 1 }), NOW)).toBe('stuck');
		expect(freshness('co2', times(0, { unchangedSince: NOW }), NOW)).toBe('live');
		expect(freshness('co2', times(FRESHNESS_MS + 1, { unchangedSince: NOW - 2 * stuckMs }), NOW)).toBe('stale');
	});

	it('is never stuck for metrics that may stay the same for days', () => {
		const steady = METRIC_KEYS.filter((key) => (METRICS[key] as MetricDefinition).stuckMs === undefined);
		expect(steady).toEqual(expect.arrayContaining(['peopleCount', 'peopleIn', 'peopleOut', 'battery', 'illuminance']));
		for (const metric of steady)
			expect(freshness(metric, times(0, { unchangedSince: NOW - 1000 * HOUR }), NOW)).toBe('live');
	});

	it('is offline from the time the device reports it until the device sends again', () => {
		expect(freshness('noise', times(60_000, { offlineAt: NOW - 30_000 }), NOW)).toBe('offline');
		expect(freshness('noise', times(2 * HOUR, { offlineAt: NOW - HOUR }), NOW)).toBe('offline');
		expect(freshness('noise', times(10_000, { offlineAt: NOW - 30_000 }), NOW)).toBe('live');
		expect(freshUntil('noise', times(60_000, { offlineAt: NOW - 30_000 }))).toBe(NOW - 30_000);
	});
});
