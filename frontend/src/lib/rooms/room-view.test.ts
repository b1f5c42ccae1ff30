import { FRESHNESS_MS, METRIC_KEYS } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import type { MetricSamples, RoomSamples } from '../live/samples.ts';
import { type Columns, roomView, summarize } from './room-view.ts';

const NOW = 1_764_000_000_000;
const ALL: Columns = { keys: METRIC_KEYS, chosen: false };

const heard = (
	value: number,
	unit: string,
	ageMs = 0,
	transport: 'serial' | 'mqtt' | 'http' = 'mqtt',
): MetricSamples => ({
	unit,
	sensors: [{ sensorId: 's', value, observedAt: NOW - ageMs, transport }],
});
const view = (samples: RoomSamples, capacity = 10, columns = ALL) => roomView({ capacity }, samples, columns, NOW);
const HOUR = 3600_000;

describe('P8 a room on the page', () => {
	it('has no data, and no count of 0, before anything was heard', () => {
		expect(view({})).toEqual({
			status: 'no-data',
			freshness: 'no-data',
			people: undefined,
			metrics: [],
			unheard: [],
			transports: [],
			heardAt: undefined,
		});
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

	it('is offline, and neither empty nor full, once the device that counted said that it is gone', () => {
		const sensors = [{ sensorId: 's', value: 11, observedAt: NOW - 1000, offlineAt: NOW - 500 }];
		expect(view({ peopleCount: { unit: 'person', sensors } })).toMatchObject({
			status: 'offline',
			freshness: 'offline',
			people: { value: 11 },
		});
	});

	it('marks as stuck what its sensor has repeated for too long, and nothing else', () => {
		const repeated = (unchangedSince: number): MetricSamples => ({
			unit: 'ppm',
			sensors: [{ sensorId: 's', value: 700, observedAt: NOW, unchangedSince }],
		});
		expect(view({ co2: repeated(NOW - 7 * HOUR) }).metrics[0]?.freshness).toBe('stuck');
		expect(view({ co2: repeated(NOW - 5 * HOUR) }).metrics[0]?.freshness).toBe('live');
		expect(summarize([view({ co2: repeated(NOW - 7 * HOUR) }), view({ co2: repeated(NOW) })]).stuck).toBe(1);
	});

	it('holds a value as long as its metric holds', () => {
		const shown = view({ battery: heard(80, '%', HOUR), temperature: heard(20, 'degC', HOUR) });
		expect(shown.metrics.map(({ key, freshness }) => [key, freshness])).toEqual([
			['temperature', 'stale'],
			['battery', 'live'],
		]);
	});

	it('shows the columns that somebody chose in their order, and says of which nothing was ever heard', () => {
		const columns = { keys: ['noise', 'co2', 'temperature'], chosen: true };
		const shown = view({ temperature: heard(20, 'degC'), co2: heard(1, 'ppm'), humidity: heard(1, '%') }, 10, columns);
		expect(shown.metrics.map(({ key }) => key)).toEqual(['co2', 'temperature']);
		expect(shown.unheard).toEqual(['noise']);
	});

	it('judges each metric by its own age', () => {
		const shown = view({ peopleCount: heard(1, 'person'), temperature: heard(20, 'degC', FRESHNESS_MS + 1) });
		expect(shown.status).toBe('normal');
		expect(shown.metrics[0]?.freshness).toBe('stale');
	});

	it('lists every metric that was heard in the order of the catalog, unknown ones behind', () => {
		const shown = view({
			radon: heard(1, 'Bq/m3'),
			co2: heard(1, 'ppm'),
			peopleCount: heard(1, 'person'),
			temperature: heard(1, 'degC'),
		});
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
