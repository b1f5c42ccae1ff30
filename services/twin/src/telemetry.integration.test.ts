import { CHANNELS, FRESHNESS_MS, METRIC_KEYS, type MetricKey, type Reading } from '@crowdvision/contracts';
import { readingOf } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
	admin,
	HALL,
	history,
	onEachEngine,
	serveTwin,
	state,
	stateAt,
	twin,
	upload,
	useTwin,
	world,
} from './testing/museum.ts';

onEachEngine((mongoUrl) => {
	useTwin(mongoUrl);

	describe('the state of a building', () => {
		beforeEach(() => upload());

		it('has every room with its known values, true at its cursor; unknown values are absent', async () => {
			expect(await state()).toEqual({ cursor: '0', rooms: { hall: { values: {} }, attic: { values: {} } } });
			const positions = await world.tell(
				readingOf({ ...HALL, metric: 'peopleCount', value: 9, transport: 'serial' }),
				readingOf({ ...HALL, metric: 'temperature', value: 20, sensorId: 't1' }),
				readingOf({ ...HALL, metric: 'temperature', value: 22, sensorId: 't2' }),
			);
			const { cursor, rooms } = await stateAt(positions[2]!);
			expect(cursor).toBe(positions[2]);
			expect(rooms.hall).toMatchObject({
				occupancy: 'crowded',
				values: {
					peopleCount: { value: 9, unit: 'person', sensorId: 'hall-peopleCount', transport: 'serial', stale: false },
					temperature: { value: 21, unit: 'degC', stale: false, sensors: [{ sensorId: 't1' }, { sensorId: 't2' }] },
				},
			});
			expect(rooms.attic).toEqual({ values: {} });
		});

		it('shows the reading observed last, and of one moment the one delivered last', async () => {
			const at = Date.now();
			const count = (value: number, observedAt: number) =>
				readingOf({ ...HALL, metric: 'peopleCount', value, observedAt });
			await world.tell(count(1, at - 2000), count(2, at), count(3, at - 1000));
			const late = await world.tell(count(4, at - 500));
			expect((await stateAt(late[0]!)).rooms.hall!.values.peopleCount).toMatchObject({ value: 2, observedAt: at });
			const same = await world.tell(count(5, at), count(6, at));
			expect((await stateAt(same[1]!)).rooms.hall!.values.peopleCount).toMatchObject({ value: 6 });
		});

		it('combines two doors into one count with its interval, which a correction replaces', async () => {
			const at = Date.now();
			const door = (sensorId: string, value: number, low: number, high: number, observedAt: number) =>
				readingOf({ ...HALL, metric: 'peopleCount', sensorId, value, interval: { low, high }, observedAt });
			const [, second] = await world.tell(door('north', 4, 2, 6, at - 2000), door('south', 5, 3, 8, at - 1000));
			expect((await stateAt(second!)).rooms.hall!.values.peopleCount).toMatchObject({
				value: 5,
				low: 3,
				high: 8,
				sensors: [{ low: 2 }, { high: 8 }],
			});
			const [corrected] = await world.tell(door('operator:a1', 7, 7, 7, at));
			expect((await stateAt(corrected!)).rooms.hall!.values.peopleCount).toMatchObject({
				value: 7,
				low: 7,
				high: 7,
				sensorId: 'operator:a1',
			});
			const [camera] = await world.tell(
				readingOf({ ...HALL, metric: 'peopleCount', sensorId: 'camera', value: 6, observedAt: at + 1 }),
			);
			expect((await stateAt(camera!)).rooms.hall!.values.peopleCount).not.toHaveProperty('low');
		});

		it('marks an outdated value as stale and leaves it out of the occupancy', async () => {
			const [position] = await world.tell(
				readingOf({ ...HALL, metric: 'peopleCount', value: 5, observedAt: Date.now() - FRESHNESS_MS - 1000 }),
			);
			const { hall } = (await stateAt(position!)).rooms;
			expect(hall!.values.peopleCount).toMatchObject({ value: 5, stale: true });
			expect(hall).not.toHaveProperty('occupancy');
		});

		it('sets an invalid message aside and stores the readings beside it', async () => {
			await world.parts.bus.append('telemetry', ['not JSON', JSON.stringify({ id: 'x' })]);
			const [position] = await world.tell(readingOf({ ...HALL, metric: 'co2', value: 650 }));
			expect((await stateAt(position!)).rooms.hall!.values.co2).toMatchObject({ value: 650 });
			await vi.waitFor(async () => expect(await world.parts.bus.deadLetters('telemetry')).toHaveLength(2), {
				timeout: 10_000,
			});
		});

		it('starts from the beginning when the stream was replaced by another one', async () => {
			await twin.close();
			const store = await world.parts.stores.open('twin', {
				collections: {},
				readings: { readingsMs: 1e12, rollUpsMs: 1e12 },
			});
			await store.readings.insert(
				[],
				{ stream: 'telemetry', position: '1764000000000-7' },
				{ holdMs: 0, after: () => false },
			);
			await store.close();
			await serveTwin();
			const [position] = await world.tell(readingOf({ ...HALL, metric: 'co2', value: 650 }));
			const now = await waitFor('the new cursor', async () => {
				const { cursor, rooms } = await state();
				return cursor === position ? rooms : undefined;
			});
			expect(now.hall!.values.co2).toMatchObject({ value: 650 });
		});
	});

	describe('P8 honest freshness: the state of a building', () => {
		beforeEach(() => upload());
		const HOUR = 3600_000;
		const seen = async (metric: MetricKey, position: string) => (await stateAt(position)).rooms.hall!.values[metric];
		const device = async (sensorId: string, state: 'online' | 'offline', at: number) =>
			world.parts.bus.announce(CHANNELS.devices, JSON.stringify({ sensorId, state, at, gatewayId: 'test' }));

		it('tells of each value until when it is current and since when it is unchanged', async () => {
			const at = Date.now();
			const co2 = (value: number, observedAt: number) => readingOf({ ...HALL, metric: 'co2', value, observedAt });
			const positions = await world.tell(co2(500, at - 2000), co2(600, at - 1000), co2(600, at));
			const value = await seen('co2', positions[2]!);
			expect(value).toMatchObject({
				value: 600,
				freshness: 'live',
				stale: false,
				freshUntil: at + FRESHNESS_MS,
				unchangedSince: at - 1000,
			});
		});

		it('marks a sensor as stuck when its value is unchanged for too long, except a count of people', async () => {
			const now = Date.now();
			const readings: Reading[] = [];
			for (let hour = 0; hour <= 30; hour++) {
				const observedAt = now - (30 - hour) * HOUR;
				readings.push(readingOf({ ...HALL, metric: 'temperature', value: 21, observedAt }));
				readings.push(readingOf({ ...HALL, metric: 'peopleCount', value: 0, observedAt }));
			}
			const positions = await world.tell(...readings);
			expect(await seen('temperature', positions.at(-1)!)).toMatchObject({
				value: 21,
				freshness: 'stuck',
				stale: false,
			});
			expect(await seen('peopleCount', positions.at(-1)!)).toMatchObject({ value: 0, freshness: 'live' });
			const [moved] = await world.tell(readingOf({ ...HALL, metric: 'temperature', value: 21.1 }));
			expect(await seen('temperature', moved!)).toMatchObject({ freshness: 'live' });
		});

		it('marks a device as offline after its report, also after a restart, until it sends again', async () => {
			const at = Date.now() - 10_000;
			const [position] = await world.tell(
				readingOf({ ...HALL, metric: 'peopleCount', value: 5, observedAt: at, sensorId: 'door-1' }),
			);
			expect(await stateAt(position!)).toMatchObject({ rooms: { hall: { occupancy: 'normal' } } });
			await device('door-1', 'offline', at + 5000);
			const offline = await waitFor('the device to be offline', async () => {
				const { hall } = (await state()).rooms;
				return hall!.values.peopleCount!.freshness === 'offline' ? hall : undefined;
			});
			expect(offline!.values.peopleCount).toMatchObject({
				value: 5,
				stale: true,
				freshUntil: at + 5000,
				offlineAt: at + 5000,
			});
			expect(offline).not.toHaveProperty('occupancy');
			await world.restart();
			await serveTwin();
			expect((await state()).rooms.hall!.values.peopleCount).toMatchObject({ freshness: 'offline' });
			const [again] = await world.tell(readingOf({ ...HALL, metric: 'peopleCount', value: 6, sensorId: 'door-1' }));
			expect(await seen('peopleCount', again!)).toMatchObject({ value: 6, freshness: 'live', stale: false });
		});

		it('ends the offline mark when the device reports back, and ignores older reports', async () => {
			const at = Date.now() - 10_000;
			await stateAt(
				(await world.tell(readingOf({ ...HALL, metric: 'noise', value: 40, observedAt: at, sensorId: 'n' })))[0]!,
			);
			await device('n', 'offline', at + 3000);
			await device('n', 'online', at + 2000);
			await world.parts.bus.announce(CHANNELS.devices, 'not JSON');
			const freshness = (wanted: string) =>
				waitFor(wanted, async () => (await state()).rooms.hall!.values.noise!.freshness === wanted || undefined);
			await freshness('offline');
			await device('n', 'online', at + 4000);
			await freshness('live');
		});
	});

	describe('the history of a building', () => {
		const HOUR = 3600_000;
		const START = Date.UTC(2026, 10, 20, 10);
		const at = (minute: number, value: number, more: object = {}) =>
			readingOf({ ...HALL, metric: 'co2', value, observedAt: START + minute * 60_000, ...more });
		const range = `room=hall&metric=co2&from=${START}&to=${START + 3 * HOUR}`;

		beforeEach(async () => {
			await upload();
			const positions = await world.tell(
				at(0, 400),
				at(10, 500),
				at(59, 900),
				at(60, 1000),
				at(61, 600, { sensorId: 'other' }),
			);
			await stateAt(positions.at(-1)!);
		});

		it.each([
			['count', [3, 2, 0]],
			['avg', [5400 / 11, 5600 / 6, null]],
			['min', [400, 600, null]],
			['max', [900, 1000, null]],
			['sum', [5400 / 11, 5600 / 6, null]],
			['last', [900, 600, null]],
		])('gives the %s per bucket, and null or 0 for a bucket without readings', async (agg, values) => {
			const { body } = await history(`${range}&bucket=1h&agg=${agg}`);
			expect(body.points.map(({ value }) => value)).toEqual(values);
			expect(body.points.map((point) => point.at)).toEqual([START, START + HOUR, START + 2 * HOUR]);
		});

		it('tells for which share of a bucket a value is known', async () => {
			const { points } = (await history(`${range}&bucket=1h`)).body;
			expect(points.map(({ coverage }) => coverage)).toEqual([11 / 60, 6 / 60, 0]);
			const minutes = (await history(`room=hall&metric=co2&from=${START}&to=${START + 3 * 60_000}&bucket=60000`)).body
				.points;
			expect(minutes.map(({ coverage }) => coverage)).toEqual([1, 1, 1]);
		});

		it('can be of one sensor, and accepts times in ISO 8601', async () => {
			const times = 'from=2026-11-20T10:00:00Z&to=2026-11-20T13:00:00Z';
			const query = `room=hall&metric=co2&sensor=other&agg=count&bucket=1h&${times}`;
			expect((await history(query)).body.points.map(({ value }) => value)).toEqual([0, 1, 0]);
			const average = await history(query.replace('count', 'avg'));
			expect(average.body.points.map(({ value }) => value)).toEqual([null, 600, null]);
		});

		it('combines all rooms: sum of their averages, average of all values, coverage of all rooms', async () => {
			const attic = (minute: number, value: number) =>
				readingOf({ ...at(minute, value), roomId: 'attic', sensorId: 'attic-co2' });
			await stateAt((await world.tell(attic(0, 1000), attic(5, 800))).at(-1)!);
			const of = async (agg: string) =>
				(await history(`metric=co2&from=${START}&to=${START + HOUR}&bucket=1h&agg=${agg}`)).body.points[0]!;
			expect(await of('sum')).toEqual({ at: START, value: 5400 / 11 + 900, coverage: (11 + 10) / 120 });
			expect((await of('avg')).value).toBeCloseTo((5400 + 9000) / 21);
			expect((await of('count')).value).toBe(5);
			expect((await of('max')).value).toBe(1000);
			expect((await of('last')).value).toBe((900 + 800) / 2);
		});

		it('has days in the time zone of the building', async () => {
			await twin.call('PATCH', '/buildings/museum-1', { token: admin, body: { timeZone: 'Asia/Kathmandu' } });
			const { points } = (await history(`${range}&bucket=1d`)).body;
			expect(points.map((point) => new Date(point.at).toISOString())).toEqual(['2026-11-19T18:15:00.000Z']);
		});

		it('refuses an invalid query and names the parameter', async () => {
			expect(await history('room=cellar&metric=co2')).toMatchObject({
				status: 422,
				body: { error: { code: 'invalid', path: '/room' } },
			});
			expect(await history('room=hall&metric=co2&metric=noise')).toMatchObject({
				status: 422,
				body: { error: { path: '/metric' } },
			});
		});

		it('counts a reading once, however often it is delivered', async () => {
			const again = await world.tell(at(0, 400, { id: 'same' }), at(0, 400, { id: 'same' }));
			await stateAt(again[1]!);
			const third = await world.tell(at(0, 400, { id: 'same' }));
			await stateAt(third[0]!);
			expect((await history(`${range}&bucket=1h&agg=count`)).body.points[0]!.value).toBe(4);
		});
	});
});

describe('the metric catalog', () => {
	useTwin();

	it('is served at /metrics through a proxy, while Prometheus gets the metrics of the process directly', async () => {
		const proxied = await twin.call<{ metrics: object }>('GET', '/metrics', {
			headers: { 'x-forwarded-for': '192.0.2.1', accept: '*/*' },
		});
		expect(Object.keys(proxied.body.metrics)).toEqual(METRIC_KEYS);
		expect(proxied.body.metrics).toMatchObject({ co2: { unit: 'ppm', min: 0, max: 40_000, label: { it: 'CO₂' } } });
		// The page combines the sensors of a room by it, also for metrics that it was not built with.
		expect(proxied.body.metrics).toMatchObject({ co2: { combine: 'max' }, peopleIn: { combine: 'sum', kind: 'flow' } });
		expect(JSON.stringify(proxied.body)).not.toContain('accepts');
		const direct = await fetch(`${twin.url}/metrics`, { headers: { accept: '*/*' } });
		expect(await direct.text()).toContain('# TYPE twin_readings_taken_total counter');
		expect((await twin.call('GET', '/metrics', { headers: { accept: 'application/json' } })).body).toEqual(
			proxied.body,
		);
	});
});
