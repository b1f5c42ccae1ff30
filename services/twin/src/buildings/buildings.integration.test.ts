import { type BuildingSummary, GENERATION, TABLES } from '@crowdvision/contracts';
import { readingOf } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { twinStore } from '../store.ts';
import {
	ADMIN,
	admin,
	HALL,
	history,
	MUSEUM,
	room,
	serveTwin,
	state,
	stateAt,
	twin,
	upload,
	useTwin,
	world,
} from '../testing/museum.ts';

useTwin();

describe('a building', () => {
	it('is stored as it was given, listed, and still there after a restart', async () => {
		expect(await upload()).toMatchObject({ status: 201, body: { id: 'museum-1', domains: ['museum'] } });
		await world.restart();
		await serveTwin();
		const listed = await twin.call<{ buildings: BuildingSummary[] }>('GET', '/buildings', { token: admin });
		expect(listed.body).toEqual({ buildings: [{ ...MUSEUM, domains: ['museum'] }] });
		expect((await twin.call('GET', '/buildings/museum-1', { token: admin })).body).toEqual(listed.body.buildings[0]);
	});

	it('P14 is listed in pages, as its sensors are, each once and in the order of ids', async () => {
		for (const id of ['m-4', 'm-1', 'm-5', 'm-2', 'm-3']) await upload({ ...MUSEUM, id });
		for (const sensorId of ['s-2', 's-3', 's-1'])
			await twin.call('POST', '/buildings/m-1/sensors', { token: admin, body: { sensorId, roomId: 'hall' } });
		const listed = async (path: string, name: string, key: string) => {
			const pages: string[][] = [];
			for (let cursor = ''; ; ) {
				type Page = Record<string, Record<string, string>[]> & { nextCursor?: string };
				const { body } = await twin.call<Page>('GET', `${path}?limit=2${cursor}`, { token: admin });
				pages.push(body[name]!.map((item) => item[key]!));
				if (body.nextCursor === undefined) return pages;
				cursor = `&cursor=${body.nextCursor}`;
			}
		};
		expect(await listed('/buildings', 'buildings', 'id')).toEqual([['m-1', 'm-2'], ['m-3', 'm-4'], ['m-5']]);
		expect(await listed('/buildings/m-1/sensors', 'sensors', 'sensorId')).toEqual([['s-1', 's-2'], ['s-3']]);
		for (const path of ['/buildings', '/buildings/m-1/sensors'])
			expect((await twin.call('GET', `${path}?cursor=abc`, { token: admin })).status).toBe(400);
	});

	it.each([
		[{ ...MUSEUM, rooms: [room('a'), room('b'), room('a')] }, '/rooms/2/id'],
		[{ ...MUSEUM, rooms: [room('a', { capacity: -1 })] }, '/rooms/0/capacity'],
		[{ ...MUSEUM, rooms: [] }, '/rooms'],
		[{ rooms: MUSEUM.rooms }, '/id'],
		[{ ...MUSEUM, id: 'a/b' }, '/id'],
		[{ ...MUSEUM, timeZone: 'Europe/Atlantis' }, '/timeZone'],
		[{ ...MUSEUM, rooms: [room('a', { maxTemprature: 28 })] }, '/rooms/0/maxTemprature'],
	])('is refused as a whole with the path of its mistake (%#)', async (body, path) => {
		expect(await upload(body)).toMatchObject({ status: 422, body: { error: { code: 'invalid', path } } });
		expect((await twin.call('GET', '/buildings', { token: admin })).body).toEqual({ buildings: [] });
	});

	it('is owned by domains that the caller administers, and by no other', async () => {
		expect((await upload({ ...MUSEUM, domains: ['another'] })).status).toBe(403);
		expect((await upload(MUSEUM, await world.token({ domainName: 'museum', role: 'business_staff' }))).status).toBe(
			403,
		);
		expect((await upload(MUSEUM, await world.token())).status).toBe(403);
		const both = await world.token(ADMIN, { domainName: 'zoo', role: 'business_admin' });
		expect(await upload(MUSEUM, both)).toMatchObject({ status: 422, body: { error: { path: '/domains' } } });
		expect((await upload({ ...MUSEUM, domains: ['zoo', 'museum/east'] }, both)).body.domains).toEqual([
			'zoo',
			'museum/east',
		]);
	});

	it('is refused when its id is in use', async () => {
		await upload();
		expect(await upload()).toMatchObject({ status: 409, body: { error: { code: 'conflict', path: '/id' } } });
	});

	it('looks to accounts of other domains as if it did not exist, on every path', async () => {
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
			['PATCH', '/rooms/hall', { name: 'Mine' }],
			['PATCH', '/rooms/hall', { name: 7 }],
			['PATCH', '', { name: 7 }],
			['GET', '/thresholds'],
			['PUT', '/thresholds', { building: {}, rooms: {} }],
			['PUT', '/thresholds', { building: 7 }],
			['GET', '/columns'],
			['PUT', '/columns', { columns: [] }],
			['PUT', '/columns', { columns: 7 }],
			['GET', '/history?metric=none'],
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

	it('is seen by every member of its domains and changed by admins only', async () => {
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
		expect((await twin.call('PATCH', '/buildings/museum-1', { token: admin, body: { domains: ['zoo'] } })).status).toBe(
			403,
		);
	});

	it('loses its history when it is removed: the next building with its id shows none of it', async () => {
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

	it('does not show readings that came between its removal and the reuse of its id', async () => {
		await upload();
		expect((await twin.call('DELETE', '/buildings/museum-1', { token: admin })).status).toBe(204);
		const [position] = await world.tell(readingOf({ ...HALL, metric: 'co2', value: 700 }));
		await waitFor(
			'the reading',
			async () => world.parts.bus.compare((await twin.service.progress()) ?? '0', position!) >= 0,
		);
		expect((await upload()).status).toBe(201);
		expect((await state()).rooms.hall).toEqual({ values: {} });
	});

	it('shows readings that came before it was created', async () => {
		const [position] = await world.tell(readingOf({ ...HALL, metric: 'co2', value: 700 }));
		await upload();
		expect((await stateAt(position!)).rooms.hall!.values.co2).toMatchObject({ value: 700 });
	});

	it('has its interrupted removal completed after the next start', async () => {
		await world.tell(readingOf({ ...HALL, metric: 'co2', value: 700 }));
		await waitFor('the reading', async () => (await twin.service.progress()) !== undefined);
		await twin.close();
		const definition = twinStore({ readingsMs: 1e12, rollUpsMs: 1e12 });
		const interrupted = await world.parts.stores.open('twin', definition);
		await interrupted.commit([interrupted.collection('removed').insert('museum-1', { unfinished: true, at: 0 })]);
		await interrupted.close();
		await serveTwin();
		// Maintenance completes its step before it stops.
		await twin.close();
		const store = await world.parts.stores.open('twin', definition);
		expect((await store.readings.latest('telemetry', 'museum-1')).latest).toEqual([]);
		expect((await store.collection('removed').get('museum-1'))?.value).toMatchObject({ unfinished: false });
		await store.close();
	});
});

describe('the tables that twin announces', () => {
	const watched = async (table: (typeof TABLES)[keyof typeof TABLES]) => {
		const values = new Map<string, unknown>();
		await world.parts.bus.watch(table, (key, value) =>
			value === null ? values.delete(key) : values.set(key, JSON.parse(value)),
		);
		return values;
	};

	it('hold its buildings and sensors, after each change and after a restart', async () => {
		const buildings = await watched(TABLES.buildings);
		const sensors = await watched(TABLES.sensors);
		const generation = expect.stringMatching(GENERATION);
		await upload();
		await vi.waitFor(() =>
			expect(buildings.get('museum-1')).toEqual({
				id: 'museum-1',
				name: 'Museum',
				domains: ['museum'],
				generation,
				rooms: [
					{ id: 'hall', name: 'hall', capacity: 10, limits: {}, generation },
					{ id: 'attic', name: 'Attic', capacity: 10, limits: { temperature: { max: 28 } }, floor: 2, generation },
				],
			}),
		);
		await twin.call('POST', '/buildings/museum-1/sensors', {
			token: admin,
			body: { sensorId: 'door-1', roomId: 'hall' },
		});
		await vi.waitFor(() => expect(sensors.get('door-1')).toEqual({ sensorId: 'door-1', ...HALL }));

		await world.restart();
		await serveTwin();
		expect([...(await watched(TABLES.buildings)).keys()]).toEqual(['museum-1']);
		const again = await watched(TABLES.sensors);
		expect([...again.keys()]).toEqual(['door-1']);

		await twin.call('PATCH', '/buildings/museum-1', { token: admin, body: { rooms: [room('attic')] } });
		await vi.waitFor(() => expect(again.size).toBe(0));
		await twin.call('DELETE', '/buildings/museum-1', { token: admin });
		const left = await watched(TABLES.buildings);
		await vi.waitFor(() => expect(left.size).toBe(0));
	});

	it('get back an entry that the bus lost, and lose one that twin does not have', async () => {
		await upload();
		await world.parts.bus.retain(TABLES.buildings, 'museum-1', null);
		await world.parts.bus.retain(TABLES.buildings, 'long-gone', '{}');
		const buildings = await watched(TABLES.buildings);
		await vi.waitFor(() => expect([...buildings.keys()]).toEqual(['museum-1']), { timeout: 10_000 });
	});
});

describe('a sensor', () => {
	beforeEach(() => upload());
	const register = (body: object, token = admin, building = 'museum-1') =>
		twin.call('POST', `/buildings/${building}/sensors`, { token, body });

	it('is registered in one room of one building', async () => {
		expect(await register({ sensorId: 'door-1', roomId: 'hall' })).toMatchObject({
			status: 201,
			body: { sensorId: 'door-1', ...HALL },
		});
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

	it('is refused in a room that does not exist, and with an invalid id', async () => {
		expect(await register({ sensorId: 'door-1', roomId: 'cellar' })).toMatchObject({
			status: 422,
			body: { error: { path: '/roomId' } },
		});
		expect(await register({ sensorId: 'door 1', roomId: 'hall' })).toMatchObject({
			status: 422,
			body: { error: { path: '/sensorId' } },
		});
	});
});
