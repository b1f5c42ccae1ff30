import { FRESHNESS_MS, METRIC_KEYS } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { roomView, summarize } from './room-view.ts';
import type { MetricSamples, RoomSamples } from './samples.ts';

const NOW = 1_764_000_000_000;
const KEYS: readonly string[] = METRIC_KEYS;

const heard = (value: number, unit: string, ageMs = 0, transport: 'serial' | 'mqtt' | 'http' = 'mqtt'): MetricSamples => ({
	unit,
	sensors: [{ sensorId: 's', value, observedAt: NOW - ageMs, transport }],
});
const view = (samples: RoomSamples, capacity = 10) => roomView({ capacity }, samples, KEYS, NOW);

describe('P8 a room on the page', () => {
	it('has no data, and no count of 0, before anything was heard', () => {
		expect(view({})).toEqual({ status: 'no-data', people: undefined, metrics: [], transports: [], heardAt: undefined });
	});

	it('has no data on people when only something else was heard', () => {
		const shown = view({ co2: heard(700, 'ppm') });
		expect(shown.status).toBe('no-data');
		expect(shown.people).toBeUndefined();
		expect(shown.metrics).toHaveLength(1);
	});

	it.each([
		[0, 'empty'],
		[5, 'normal'],
		[6, 'crowded'],
		[10, 'full'],
		[11, 'overcrowded'],
	] as const)('with %i of 10 people is %s', (value, status) => {
		expect(view({ peopleCount: heard(value, 'person') }).status).toBe(status);
	});

	it('is stale, and neither empty nor full, once its count is past the deadline', () => {
		const shown = view({ peopleCount: heard(11, 'person', FRESHNESS_MS + 1) });
		expect(shown.status).toBe('stale');
		expect(shown.people).toMatchObject({ value: 11, freshness: 'stale' });
	});

	it('judges each metric by its own age', () => {
		const shown = view({ peopleCount: heard(1, 'person'), temperature: heard(20, 'degC', FRESHNESS_MS + 1) });
		expect(shown.status).toBe('normal');
		expect(shown.metrics[0]?.freshness).toBe('stale');
	});

	it('lists every metric that was heard in the order of the catalog, unknown ones behind', () => {
		const shown = view({ radon: heard(1, 'Bq/m3'), co2: heard(1, 'ppm'), peopleCount: heard(1, 'person'), temperature: heard(1, 'degC') });
		expect(shown.metrics.map(({ key }) => key)).toEqual(['temperature', 'co2', 'radon']);
	});

	it('names the ways its live values came in, and not those of stale ones', () => {
		const shown = view({
			peopleCount: heard(1, 'person', 0, 'serial'),
			temperature: heard(20, 'degC', 0, 'http'),
			co2: heard(500, 'ppm', FRESHNESS_MS + 1, 'mqtt'),
		});
		expect(shown.transports).toEqual(['http', 'serial']);
	});
});

describe('the building in one line', () => {
	it('counts people over rooms whose count is live, and tells how many those are', () => {
		const summary = summarize([
			view({ peopleCount: heard(4, 'person') }),
			view({ peopleCount: heard(11, 'person') }),
			view({ peopleCount: heard(7, 'person', FRESHNESS_MS + 1) }),
			view({}),
		]);
		expect(summary).toMatchObject({ people: 15, counted: 2, rooms: 4 });
		expect(summary.statuses).toMatchObject({ normal: 1, overcrowded: 1, stale: 1, 'no-data': 1, empty: 0 });
	});
});
