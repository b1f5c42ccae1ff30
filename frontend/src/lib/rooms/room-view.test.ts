import { FRESHNESS_MS, METRIC_KEYS } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import type { MetricSamples, RoomSamples } from '../live/samples.ts';
import { type Columns, roomView, summarize } from './room-view.ts';

const NOW = 1_764_000_000_000;
const ALL: Columns = { keys: METRIC_KEYS, chosen: false };

const received = (
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

describe('P8 the view of a room', () => {
	it('has no data, and no count of 0, before anything was received', () => {
		expect(view({})).toEqual({
			status: 'no-data',
			freshness: 'no-data',
			people: undefined,
			metrics: [],
			missing: [],
			transports: [],
			latestAt: undefined,
		});
	});

	it('has no people count when only other metrics were received', () => {
		const shown = view({ co2: received(700, 'ppm') });
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
	] as const)('with %i of 10 people has the status %s', (value, status) => {
		expect(view({ peopleCount: received(value, 'person') }).status).toBe(status);
	});

	it('is stale, neither empty nor full, once its count is past the deadline', () => {
		const shown = view({ peopleCount: received(11, 'person', FRESHNESS_MS + 1) });
		expect(shown.status).toBe('stale');
		expect(shown.people).toMatchObject({ value: 11, freshness: 'stale' });
	});

	it('is offline, neither empty nor full, once the counting device is offline', () => {
		const sensors = [{ sensorId: 's', value: 11, observedAt: NOW - 1000, offlineAt: NOW - 500 }];
		expect(view({ peopleCount: { unit: 'person', sensors } })).toMatchObject({
			status: 'offline',
			freshness: 'offline',
			people: { value: 11 },
		});
	});

	it('marks as stuck only a value that its sensor has repeated for too long', () => {
		const repeated = (unchangedSince: number): MetricSamples => ({
			unit: 'ppm',
			sensors: [{ sensorId: 's', value: 700, observedAt: NOW, unchangedSince }],
		});
		expect(view({ co2: repeated(NOW - 7 * HOUR) }).metrics[0]?.freshness).toBe('stuck');
		expect(view({ co2: repeated(NOW - 5 * HOUR) }).metrics[0]?.freshness).toBe('live');
		expect(summarize([view({ co2: repeated(NOW - 7 * HOUR) }), view({ co2: repeated(NOW) })]).stuck).toBe(1);
	});

	it('keeps a value live until the deadline of its own metric', () => {
		const shown = view({ battery: received(80, '%', HOUR), temperature: received(20, 'degC', HOUR) });
		expect(shown.metrics.map(({ key, freshness }) => [key, freshness])).toEqual([
			['temperature', 'stale'],
			['battery', 'live'],
		]);
	});

	it('shows chosen columns in their order, and names those without any value', () => {
		const columns = { keys: ['noise', 'co2', 'temperature'], chosen: true };
		const shown = view(
			{ temperature: received(20, 'degC'), co2: received(1, 'ppm'), humidity: received(1, '%') },
			10,
			columns,
		);
		expect(shown.metrics.map(({ key }) => key)).toEqual(['co2', 'temperature']);
		expect(shown.missing).toEqual(['noise']);
	});

	it('gives each metric the freshness of its own age', () => {
		const shown = view({ peopleCount: received(1, 'person'), temperature: received(20, 'degC', FRESHNESS_MS + 1) });
		expect(shown.status).toBe('normal');
		expect(shown.metrics[0]?.freshness).toBe('stale');
	});

	it('lists received metrics in the order of the catalog, unknown ones last', () => {
		const shown = view({
			radon: received(1, 'Bq/m3'),
			co2: received(1, 'ppm'),
			peopleCount: received(1, 'person'),
			temperature: received(1, 'degC'),
		});
		expect(shown.metrics.map(({ key }) => key)).toEqual(['temperature', 'co2', 'radon']);
	});

	it('names the transports of its live values, not those of stale ones', () => {
		const shown = view({
			peopleCount: received(1, 'person', 0, 'serial'),
			temperature: received(20, 'degC', 0, 'http'),
			co2: received(500, 'ppm', FRESHNESS_MS + 1, 'mqtt'),
		});
		expect(shown.transports).toEqual(['http', 'serial']);
	});
});

describe('the summary of a building', () => {
	it('adds up people over the rooms with a live count, and says how many those are', () => {
		const summary = summarize([
			view({ peopleCount: received(4, 'person') }),
			view({ peopleCount: received(11, 'person') }),
			view({ peopleCount: received(7, 'person', FRESHNESS_MS + 1) }),
			view({}),
		]);
		expect(summary).toMatchObject({ people: 15, counted: 2, rooms: 4 });
		expect(summary.statuses).toMatchObject({ normal: 1, overcrowded: 1, stale: 1, 'no-data': 1, empty: 0 });
	});
});
