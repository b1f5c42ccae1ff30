import {
	type BuildingState,
	type BuildingSummary,
	FRESHNESS_MS,
	type HistoryPoint,
	METRIC_KEYS,
	type Membership,
	TABLES,
} from '@crowdvision/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openServiceWorld, readingOf, type Served, type ServiceWorld } from '../../../test/support/service-world.ts';
import { waitFor } from '../../../test/support/wait.ts';
import { createTwin, type Twin } from './index.ts';

let world: ServiceWorld;
let twin: Served & { service: Twin };
let admin: string;

const ADMIN: Membership = { domainName: 'museum', role: 'business_admin' };
const room = (id: string, more: object = {}) => ({
	id,
	capacity: 10,
	position: { x: 0, y: 0, z: 0 },
	dimensions: { width: 5, height: 3, depth: 5 },
	...more,
});
const MUSEUM = { id: 'museum-1', name: 'Museum', rooms: [room('hall'), room('attic', { name: 'Attic', maxTemperature: 28, floor: 2 })] };
const HALL = { buildingId: 'museum-1', roomId: 'hall' };

beforeEach(async () => {
	world = await openServiceWorld();
	twin = await world.serve(createTwin);
	admin = await world.token(ADMIN);
});

afterEach(() => world.stop());

const upload = (body: unknown = MUSEUM, token = admin) => twin.call<BuildingSummary>('POST', '/buildings', { token, body });
const state = async (token = admin) => (await twin.call<BuildingState>('GET', '/buildings/museum-1/state', { token })).body;
/** The state once everything up to `position` is taken in. */
const stateAt = (position: string) =>
	waitFor(`the state at ${position}`, async () => {
		const now = await state();
		return world.parts.bus.compare(now.cursor, position) >= 0 ? now : undefined;
	});
const history = (query: string, token = admin) => twin.call<{ points: HistoryPoint[] }>('GET', `/buildings/museum-1/history?${query}`, { token });

describe('buildings', () => {
	it('are taken whole, kept through a restart, and listed', async () => {
		expect(await upload()).toMatchObject({ status: 201, body: { id: 'museum-1', domains: ['museum'] } });
		await world.restart();
		twin = await world.serve(createTwin);
		const listed = await twin.call<{ buildings: BuildingSummary[] }>('GET', '/buildings', { token: admin });
		expect(listed.body).toEqual({ buildings: [{ ...MUSEUM, domains: ['museum'] }] });
		expect((await twin.call('GET', '/buildings/museum-1', { token: admin })).body).toEqual(listed.body.buildings[0]);
	});

	it.each([
		[{ ...MUSEUM, rooms: [room('a'), room('b'), room('a')] }, '/rooms/2/id'],
		[{ ...MUSEUM, rooms: [room('a', { capacity: -1 })] }, '/rooms/0/capacity'],
		[{ ...MUSEUM, rooms: [] }, '/rooms'],
		[{ rooms: MUSEUM.rooms }, '/id'],
		[{ ...MUSEUM, id: 'a/b' }, '/id'],
	])('are refused whole, with the path of the mistake (%#)', async (body, path) => {
		expect(await upload(body)).toMatchObject({ status: 422, body: { error: { code: 'invalid', path } } });
		expect((await twin.call('GET', '/buildings', { token: admin })).body).toEqual({ buildings: [] });
	});

	it('go into domains the caller administers, and into no other', async () => {
		expect((await upload({ ...MUSEUM, domains: ['another'] })).status).toBe(403);
		expect((await upload(MUSEUM, await world.token({ domainName: 'museum', role: 'business_staff' }))).status).toBe(403);
		expect((await upload(MUSEUM, await world.token())).status).toBe(403);
		const both = await world.token(ADMIN, { domainName: 'zoo', role: 'business_admin' });
		expect(await upload(MUSEUM, both)).toMatchObject({ status: 422, body: { error: { path: '/domains' } } });
		expect((await upload({ ...MUSEUM, domains: ['zoo', 'museum/east'] }, both)).body.domains).toEqual(['zoo', 'museum/east']);
	});

	it('have an id of their own', async () => {
		await upload();
		expect(await upload()).toMatchObject({ status: 409, body: { error: { code: 'conflict', path: '/id' } } });
	});

	it('look to somebody of another domain exactly as if they were not there, on every path', async () => {
		await upload();
		const foreign = await world.token({ domainName: 'zoo', role: 'admin' });
		const paths: [string, string, unknown?][] = [
			['GET', ''],
			['PATCH', '', { name: 'Mine' }],
			['DELETE', ''],
			['GET', '/state'],
			['GET', '/history?room=hall&metric=co2'],
			['GET', '/sensors'],
			['POST', '/sensors', { sensorId: 'door-1', roomId: 'hall' }],
			['DELETE', '/sensors/door-1'],
		];
		for (const [method, path, body] of paths) {
			const options = { token: foreign, ...(body !== undefined && { body }) };
			const existing = await twin.call(method, `/buildings/museum-1${path}`, options);
			const unknown = await twin.call(method, `/buildings/nowhere${path}`, options);
			expect(existing.status, `${method} ${path}`).toBe(404);
			expect(existing.body, `${method} ${path}`).toEqual(unknown.body);
		}
		expect((await twin.call('GET', '/buildings', { token: foreign })).body).toEqual({ buildings: [] });
		expect((await twin.call('GET', '/buildings')).status).toBe(401);
	});

	it('are seen by their members, changed by their admins', async () => {
		await upload();
		const visitor = await world.token({ domainName: 'museum', role: 'standard_customer' });
		expect((await twin.call('GET', '/buildings/museum-1/state', { token: visitor })).status).toBe(200);
		expect((await twin.call('DELETE', '/buildings/museum-1', { token: visitor })).status).toBe(403);
		expect((await twin.call('GET', '/buildings/museum-1/sensors', { token: visitor })).status).toBe(403);
		const rooms = [room('hall', { capacity: 99 })];
		expect(await twin.call('PATCH', '/buildings/museum-1', { token: admin, body: { rooms } })).toMatchObject({
			status: 200,
			body: { name: 'Museum', rooms },
		});
		expect(await twin.call('PATCH', '/buildings/museum-1', { token: admin, body: { rooms: [] } })).toMatchObject({
			status: 422,
			body: { error: { path: '/rooms' } },
		});
		expect((await twin.call('PATCH', '/buildings/museum-1', { token: admin, body: { domains: ['zoo'] } })).status).toBe(403);
	});

	it('take their history with them when they go: whoever has the id next sees nothing of it', async () => {
		await upload();
		const [position] = await world.tell(readingOf({ ...HALL, metric: 'co2', value: 700 }));
		expect((await stateAt(position!)).rooms.hall!.values.co2).toBeDefined();
		expect((await twin.call('DELETE', '/buildings/museum-1', { token: admin })).status).toBe(204);
		const zoo = await world.token({ domainName: 'zoo', role: 'business_admin' });
		expect((await upload(MUSEUM, zoo)).status).toBe(201);
		expect((await state(zoo)).rooms.hall).toEqual({ values: {} });
		const { points } = (await history('room=hall&metric=co2&agg=count', zoo)).body;
		expect(points.every(({ value }) => value === 0)).toBe(true);
	});
});

describe('what twin tells the others', () => {
	const watched = async (table: (typeof TABLES)[keyof typeof TABLES]) => {
		const values = new Map<string, unknown>();
		await world.parts.bus.watch(table, (key, value) => (value === null ? values.delete(key) : values.set(key, JSON.parse(value))));
		return values;
	};

	it('are its buildings and sensors, at each change and again after a restart', async () => {
		const buildings = await watched(TABLES.buildings);
		const sensors = await watched(TABLES.sensors);
		await upload();
		await vi.waitFor(() =>
			expect(buildings.get('museum-1')).toEqual({
				id: 'museum-1',
				name: 'Museum',
				domains: ['museum'],
				rooms: [
					{ id: 'hall', name: 'hall', capacity: 10 },
					{ id: 'attic', name: 'Attic', capacity: 10, maxTemperature: 28, floor: 2 },
				],
			}),
		);
		await twin.call('POST', '/buildings/museum-1/sensors', { token: admin, body: { sensorId: 'door-1', roomId: 'hall' } });
		await vi.waitFor(() => expect(sensors.get('door-1')).toEqual({ sensorId: 'door-1', ...HALL }));

		await world.restart();
		twin = await world.serve(createTwin);
		expect([...(await watched(TABLES.buildings)).keys()]).toEqual(['museum-1']);
		const again = await watched(TABLES.sensors);
		expect([...again.keys()]).toEqual(['door-1']);

		await twin.call('PATCH', '/buildings/museum-1', { token: admin, body: { rooms: [room('attic')] } });
		await vi.waitFor(() => expect(again.size).toBe(0));
		await twin.call('DELETE', '/buildings/museum-1', { token: admin });
		const left = await watched(TABLES.buildings);
		await vi.waitFor(() => expect(left.size).toBe(0));
	});

	it('is told again where the bus lost it, and removed where twin has it no more', async () => {
		await upload();
		await world.parts.bus.retain(TABLES.buildings, 'museum-1', null);
		await world.parts.bus.retain(TABLES.buildings, 'long-gone', '{}');
		const buildings = await watched(TABLES.buildings);
		await vi.waitFor(() => expect([...buildings.keys()]).toEqual(['museum-1']), { timeout: 10_000 });
	});
});

describe('sensors', () => {
	beforeEach(() => upload());
	const register = (body: object, token = admin, building = 'museum-1') => twin.call('POST', `/buildings/${building}/sensors`, { token, body });

	it('stand in one room of one building', async () => {
		expect(await register({ sensorId: 'door-1', roomId: 'hall' })).toMatchObject({ status: 201, body: { sensorId: 'door-1', ...HALL } });
		expect((await register({ sensorId: 'door-1', roomId: 'attic' })).status).toBe(201);
		expect((await twin.call('GET', '/buildings/museum-1/sensors', { token: admin })).body).toEqual({
			sensors: [{ sensorId: 'door-1', roomId: 'attic' }],
		});
		await upload({ ...MUSEUM, id: 'museum-2' });
		expect(await register({ sensorId: 'door-1', roomId: 'hall' }, admin, 'museum-2')).toMatchObject({
			status: 409,
			body: { error: { path: '/sensorId' } },
		});
		expect((await twin.call('DELETE', '/buildings/museum-2/sensors/door-1', { token: admin })).status).toBe(404);
		expect((await twin.call('DELETE', '/buildings/museum-1/sensors/door-1', { token: admin })).status).toBe(204);
		expect((await register({ sensorId: 'door-1', roomId: 'hall' }, admin, 'museum-2')).status).toBe(201);
	});

	it('are refused in a room that is not there, and with an id that is none', async () => {
		expect(await register({ sensorId: 'door-1', roomId: 'cellar' })).toMatchObject({ status: 422, body: { error: { path: '/roomId' } } });
		expect(await register({ sensorId: 'door 1', roomId: 'hall' })).toMatchObject({ status: 422, body: { error: { path: '/sensorId' } } });
	});
});

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
		twin = await world.serve(createTwin);
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
