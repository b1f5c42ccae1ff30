import { describe, expect, it } from 'vitest';
import { FRESHNESS_MS, freshMs, freshness, freshUntil, holdMs, longestFreshMs, momentOf } from './freshness.ts';
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

describe('P13 right in meaning: the freshness of a value whose sensor sends rarely', () => {
	it.each<[string, number | undefined, number]>([
		['temperature', undefined, 5 * 60_000],
		['temperature', 14 * 60_000, 14 * 60_000],
		['temperature', 60_000, 5 * 60_000],
		['temperature', 24 * HOUR, 3 * HOUR],
		['co2', 150 * 60_000, 150 * 60_000],
		['peopleCount', 150 * 60_000, 2 * HOUR],
		['battery', undefined, HOUR],
		['battery', 60 * HOUR, 60 * HOUR],
		['battery', 600 * HOUR, 72 * HOUR],
		['radon', 24 * HOUR, 3 * HOUR],
	])('of %s, said to be fresh for %s ms, ends after %s ms', (metric, freshFor, held) => {
		const given = times(0, freshFor === undefined ? {} : { freshFor });
		expect(holdMs(metric, freshFor)).toBe(held);
		expect(freshUntil(metric, given)).toBe(NOW + held);
		expect(freshness(metric, given, NOW + held)).toBe('live');
		expect(freshness(metric, given, NOW + held + 1)).toBe('stale');
	});

	it('is within the bounds of its metric, for every metric of the catalog', () => {
		for (const metric of METRIC_KEYS) {
			expect(longestFreshMs(metric)).toBeGreaterThan(freshMs(metric));
			expect(holdMs(metric, Number.MAX_SAFE_INTEGER)).toBe(longestFreshMs(metric));
			expect(holdMs(metric, 0)).toBe(freshMs(metric));
		}
	});

	it('is stale from further ahead than it would hold, as of a clock that is wrong', () => {
		expect(freshness('noise', times(-FRESHNESS_MS), NOW)).toBe('live');
		expect(freshness('noise', times(-FRESHNESS_MS - 1), NOW)).toBe('stale');
		expect(freshness('noise', times(-20 * HOUR), NOW)).toBe('stale');
	});

	it('counts from the time of receipt where the stated time is after that', () => {
		expect(momentOf({ observedAt: NOW + 20 * HOUR, receivedAt: NOW })).toBe(NOW);
		expect(momentOf({ observedAt: NOW - HOUR, receivedAt: NOW })).toBe(NOW - HOUR);
	});
});
