import { FRESHNESS_MS, METRIC_KEYS } from '@crowdvision/contracts';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { readingOf } from '../../../test/support/service-world.ts';
import { waitFor } from '../../../test/support/wait.ts';
import { HALL, history, serveTwin, state, stateAt, twin, upload, useTwin, world } from './testing/museum.ts';

useTwin();

describe('the state of a building', () => {
	beforeEach(() => upload());

	it('is every room, with what is known, true at its cursor; unknown is absent', async () => {
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

	it('keeps the newest by the time it was observed, and of the same moment what came last, however they are delivered', async () => {
		const at = Date.now();
		const count = (value: number, observedAt: number) => readingOf({ ...HALL, metric: 'peopleCount', value, observedAt });
		await world.tell(count(1, at - 2000), count(2, at), count(3, at - 1000));
		const late = await world.tell(count(4, at - 500));
		expect((await stateAt(late[0]!)).rooms.hall!.values.peopleCount).toMatchObject({ value: 2, observedAt: at });
		const same = await world.tell(count(5, at), count(6, at));
		expect((await stateAt(same[1]!)).rooms.hall!.values.peopleCount).toMatchObject({ value: 6 });
	});

	it('says that a value nobody renewed is stale, and does not count it as occupancy', async () => {
		const [position] = await world.tell(readingOf({ ...HALL, metric: 'peopleCount', value: 5, observedAt: Date.now() - FRESHNESS_MS - 1000 }));
		const { hall } = (await stateAt(position!)).rooms;
		expect(hall!.values.peopleCount).toMatchObject({ value: 5, stale: true });
		expect(hall).not.toHaveProperty('occupancy');
	});

	it('sets a message that is no reading aside and takes in what came with it', async () => {
		await world.parts.bus.append('telemetry', ['not JSON', JSON.stringify({ id: 'x' })]);
		const [position] = await world.tell(readingOf({ ...HALL, metric: 'co2', value: 650 }));
		expect((await stateAt(position!)).rooms.hall!.values.co2).toMatchObject({ value: 650 });
		await vi.waitFor(async () => expect(await world.parts.bus.deadLetters('telemetry')).toHaveLength(2), { timeout: 10_000 });
	});

	it('begins anew where the stream is another one than before', async () => {
		const database = await world.parts.store.open(`${world.parts.dataDir}/twin.sqlite`, ['']);
		await twin.close();
		await database.run("INSERT INTO progress (stream, position) VALUES ('telemetry', '1764000000000-7')");
		await database.close();
		await serveTwin();
		const [position] = await world.tell(readingOf({ ...HALL, metric: 'co2', value: 650 }));
		const now = await waitFor('the new cursor', async () => {
			const { cursor, rooms } = await state();
			return cursor === position ? rooms : undefined;
		});
		expect(now.hall!.values.co2).toMatchObject({ value: 650 });
	});
});

describe('history', () => {
	const HOUR = 3600_000;
	const START = Date.UTC(2026, 10, 20, 10);
	const at = (minute: number, value: number, more: object = {}) =>
		readingOf({ ...HALL, metric: 'co2', value, observedAt: START + minute * 60_000, ...more });
	const range = `room=hall&metric=co2&from=${START}&to=${START + 3 * HOUR}`;

	beforeEach(async () => {
		await upload();
		const positions = await world.tell(at(0, 400), at(10, 500), at(59, 900), at(60, 1000), at(61, 600, { sensorId: 'other' }));
		await stateAt(positions.at(-1)!);
	});

	it.each([
		['count', [3, 2, 0]],
		['avg', [600, 800, null]],
		['min', [400, 600, null]],
		['max', [900, 1000, null]],
		['sum', [1800, 1600, null]],
		['last', [900, 600, null]],
	])('gives the %s per bucket, and of an empty one that it is unknown', async (agg, values) => {
		const { body } = await history(`${range}&bucket=1h&agg=${agg}`);
		expect(body.points.map(({ value }) => value)).toEqual(values);
		expect(body.points.map((point) => point.at)).toEqual([START, START + HOUR, START + 2 * HOUR]);
	});

	it('shows how much of a bucket anything is known of', async () => {
		const { points } = (await history(`${range}&bucket=1h`)).body;
		expect(points.map(({ coverage }) => coverage)).toEqual([3 / 12, 1 / 12, 0]);
		const minutes = (await history(`room=hall&metric=co2&from=${START}&to=${START + 3 * 60_000}&bucket=60000`)).body.points;
		expect(minutes.map(({ coverage }) => coverage)).toEqual([1, 0, 0]);
	});

	it('is of one sensor where one is asked for, and takes times as ISO 8601 too', async () => {
		const query = `room=hall&metric=co2&sensor=other&agg=count&bucket=1h&from=2026-11-20T10:00:00Z&to=2026-11-20T13:00:00Z`;
		expect((await history(query)).body.points.map(({ value }) => value)).toEqual([0, 1, 0]);
	});

	it.each([
		['room=hall', '/metric'],
		['metric=co2', '/room'],
		['room=cellar&metric=co2', '/room'],
		['room=hall&metric=constructor', '/metric'],
		['room=hall&metric=co2&agg=median', '/agg'],
		['room=hall&metric=co2&from=yesterday', '/from'],
		['room=hall&metric=co2&from=2026-11-20&to=2026-11-19', '/from'],
		['room=hall&metric=co2&bucket=0', '/bucket'],
		['room=hall&metric=co2&bucket=1w', '/bucket'],
		['room=hall&metric=co2&from=2026-01-01&bucket=1s', '/bucket'],
		['room=hall&metric=co2&metric=noise', '/metric'],
	])('refuses %s, naming %s', async (query, path) => {
		expect(await history(query)).toMatchObject({ status: 422, body: { error: { code: 'invalid', path } } });
	});

	it('has a reading once, however often it is delivered', async () => {
		const again = await world.tell(at(0, 400, { id: 'same' }), at(0, 400, { id: 'same' }));
		await stateAt(again[1]!);
		const third = await world.tell(at(0, 400, { id: 'same' }));
		await stateAt(third[0]!);
		expect((await history(`${range}&bucket=1h&agg=count`)).body.points[0]!.value).toBe(4);
	});
});

describe('the metric catalog', () => {
	it('is what GET /twin/metrics gives through a proxy, while Prometheus gets its numbers from /metrics directly', async () => {
		const proxied = await twin.call<{ metrics: object }>('GET', '/metrics', { headers: { 'x-forwarded-for': '192.0.2.1', accept: '*/*' } });
		expect(Object.keys(proxied.body.metrics)).toEqual(METRIC_KEYS);
		expect(proxied.body.metrics).toMatchObject({ co2: { unit: 'ppm', min: 0, max: 40_000, label: { it: 'CO₂' } } });
		expect(JSON.stringify(proxied.body)).not.toContain('combine');
		const direct = await twin.call('GET', '/metrics', { headers: { accept: '*/*' } });
		expect(direct.body).toContain('# TYPE twin_readings_taken_total counter');
		expect((await twin.call('GET', '/metrics', { headers: { accept: 'application/json' } })).body).toEqual(proxied.body);
	});
});
