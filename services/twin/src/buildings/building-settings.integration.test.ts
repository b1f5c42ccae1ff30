import {
	type BuildingColumns,
	METRIC_KEYS,
	type RetainedBuilding,
	TABLES,
	type Thresholds,
} from '@crowdvision/contracts';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { admin, MUSEUM, room, twin, upload, useTwin, world } from '../testing/museum.ts';

useTwin();
beforeEach(() => upload());

const B = '/buildings/museum-1';
const staff = () => world.token({ domainName: 'museum', role: 'business_staff' });
const member = () => world.token({ domainName: 'museum', role: 'standard_customer' });
/** The limits of each room as announced on the bus. */
const limits = async () => {
	let announced: RetainedBuilding | undefined;
	const watch = await world.parts.bus.watch(TABLES.buildings, (_key, value) => {
		announced = value === null ? undefined : JSON.parse(value);
	});
	await vi.waitFor(() => expect(announced).toBeDefined());
	await watch.close();
	return Object.fromEntries(announced!.rooms.map(({ id, limits }) => [id, limits]));
};

describe('A2 the levels of limits', () => {
	it('are kept, returned and announced as they are set, and refused with their path in the wrong order', async () => {
		const co2 = { max: 1000, clearMax: 900, criticalMax: 2000, risePerMinute: 100, severity: 'info' as const };
		const set: Thresholds = { building: { co2, occupancy: { severity: 'warning', dwellSeconds: 5 } }, rooms: {} };
		expect(await twin.call('PUT', `${B}/thresholds`, { token: admin, body: set })).toMatchObject({
			...{ status: 200, body: set },
		});
		const wrong = { building: { co2: { ...co2, clearMax: 1100 } }, rooms: {} };
		expect(await twin.call('PUT', `${B}/thresholds`, { token: admin, body: wrong })).toMatchObject({
			status: 422,
			body: {
				error: {
					path: '/building/co2/clearMax',
					message: expect.stringContaining('must not be above max, which is 1000'),
				},
			},
		});
	});
});

describe('the thresholds of a building', () => {
	const SET: Thresholds = {
		building: { co2: { max: 1000 }, noise: { max: 80, dwellSeconds: 60 } },
		rooms: { hall: { co2: { max: 1500 } } },
	};

	it('apply to every room without its own, and are announced as the limits of each room', async () => {
		expect((await twin.call('GET', `${B}/thresholds`, { token: admin })).body).toEqual({ building: {}, rooms: {} });
		expect(await twin.call('PUT', `${B}/thresholds`, { token: await staff(), body: SET })).toMatchObject({
			status: 200,
			body: SET,
		});
		expect((await twin.call('GET', `${B}/thresholds`, { token: await staff() })).body).toEqual(SET);
		expect(await limits()).toEqual({
			hall: { co2: { max: 1500 } },
			attic: { ...SET.building, temperature: { max: 28 } },
		});
		await twin.call('PUT', `${B}/thresholds`, { token: admin, body: { building: {}, rooms: {} } });
		expect(await limits()).toEqual({ hall: {}, attic: { temperature: { max: 28 } } });
	});

	it.each([
		[{ building: {}, rooms: { cellar: {} } }, '/rooms/cellar'],
		[{ building: { co2: { min: 9, max: 8 } }, rooms: {} }, '/building/co2/min'],
		[{ building: { radon: { max: 8 } }, rooms: {} }, '/building/radon'],
		[{ building: {} }, '/rooms'],
	])('are refused as a whole: %j has a mistake at %s', async (body, path) => {
		await twin.call('PUT', `${B}/thresholds`, { token: admin, body: SET });
		expect(await twin.call('PUT', `${B}/thresholds`, { token: admin, body })).toMatchObject({
			status: 422,
			body: { error: { path } },
		});
		expect((await twin.call('GET', `${B}/thresholds`, { token: admin })).body).toEqual(SET);
	});

	it('are hidden from members below business_staff', async () => {
		expect((await twin.call('GET', `${B}/thresholds`, { token: await member() })).status).toBe(403);
		expect((await twin.call('PUT', `${B}/thresholds`, { token: await member(), body: SET })).status).toBe(403);
	});

	it('lose the set of a room that is removed', async () => {
		await twin.call('PUT', `${B}/thresholds`, { token: admin, body: SET });
		await twin.call('PATCH', B, { token: admin, body: { rooms: [room('attic')] } });
		expect((await twin.call('GET', `${B}/thresholds`, { token: admin })).body).toEqual({ ...SET, rooms: {} });
	});
});

describe('a room', () => {
	const patch = async (body: unknown, token?: string, id = 'hall') =>
		twin.call('PATCH', `${B}/rooms/${id}`, { token: token ?? (await staff()), body });

	it('has a name, a capacity, a colour and limits that staff can change one by one', async () => {
		expect(await patch({ capacity: 12, color: '#00ff00' })).toMatchObject({
			status: 200,
			body: { ...room('hall'), capacity: 12, color: '#00ff00' },
		});
		expect((await patch({ name: 'Great hall' })).body).toMatchObject({ name: 'Great hall', capacity: 12 });
		expect((await patch({ thresholds: { co2: { max: 700 } } })).body).toMatchObject({
			thresholds: { co2: { max: 700 } },
		});
		expect((await limits()).hall).toEqual({ co2: { max: 700 } });
		expect((await twin.call<Thresholds>('GET', `${B}/thresholds`, { token: admin })).body.rooms).toEqual({
			hall: { co2: { max: 700 } },
		});
		expect((await patch({ thresholds: null })).body).toEqual({
			...room('hall'),
			name: 'Great hall',
			capacity: 12,
			color: '#00ff00',
		});
		expect((await limits()).hall).toEqual({});
	});

	it.each([
		[{ capacity: -1 }, '/capacity'],
		[{ colour: 'red' }, '/colour'],
		[{ color: 'red' }, '/color'],
		[{ thresholds: { co2: { min: 5, max: 5 } } }, '/thresholds/co2/min'],
		[{ id: 'other' }, '/id'],
	])('is not changed by %j, whose mistake is at %s', async (body, path) => {
		const answer = await patch(body);
		expect(answer.status).toBe(422);
		expect(
			(answer.body as { error: { problems: { path: string }[] } }).error.problems.map((problem) => problem.path),
		).toContain(path);
	});

	it('is changed by staff of its building only, and not found when it does not exist', async () => {
		expect((await patch({ capacity: 1 }, undefined, 'cellar')).status).toBe(404);
		expect((await patch({ capacity: 1 }, await member())).status).toBe(403);
		expect((await patch({ capacity: 1 }, await world.token({ domainName: 'zoo', role: 'admin' }))).status).toBe(404);
	});
});

describe('the columns of a building', () => {
	it("are the catalog's until staff chooses others, whose order is kept", async () => {
		const before = (await twin.call<BuildingColumns>('GET', `${B}/columns`, { token: await member() })).body.columns;
		expect(before).toEqual(METRIC_KEYS.filter((key) => key !== 'peopleIn' && key !== 'peopleOut'));
		const columns = ['co2', 'peopleCount'];
		expect(await twin.call('PUT', `${B}/columns`, { token: await staff(), body: { columns } })).toMatchObject({
			status: 200,
			body: { columns },
		});
		expect((await twin.call('GET', `${B}/columns`, { token: await member() })).body).toEqual({ columns });
		expect((await twin.call('PUT', `${B}/columns`, { token: await member(), body: { columns } })).status).toBe(403);
	});

	it.each([[{ columns: ['co2', 'co2'] }], [{ columns: ['radon'] }], [{ columns: 'co2' }], [{}]])(
		'are refused as %j',
		async (body) => {
			expect((await twin.call('PUT', `${B}/columns`, { token: admin, body })).status).toBe(422);
		},
	);
});

describe('parallel changes of a building', () => {
	const tagOf = async (path: string) => (await twin.call('GET', path, { token: admin })).headers.get('etag')!;
	const matching = (tag: string, body?: unknown) => ({
		token: admin,
		headers: { 'if-match': tag },
		...(body !== undefined && { body }),
	});

	it.each([
		['PATCH', B, B, { name: 'New' }],
		['PUT', `${B}/thresholds`, `${B}/thresholds`, { building: { co2: { max: 900 } }, rooms: {} }],
		['PUT', `${B}/columns`, `${B}/columns`, { columns: ['co2'] }],
	])('are refused by %s %s with an outdated If-Match', async (method, path, read, body) => {
		const tag = await tagOf(read);
		const first = await twin.call(method, path, matching(tag, body));
		expect(first.status).toBe(200);
		expect(first.headers.get('etag')).toBe(await tagOf(read));
		expect(await twin.call(method, path, matching(tag, body))).toMatchObject({
			status: 412,
			body: { error: { code: 'changed_meanwhile' } },
		});
		expect((await twin.call(method, path, matching(await tagOf(read), body))).status).toBe(200);
		expect((await twin.call(method, path, matching('*', body))).status).toBe(200);
	});

	it('refuse a removal with an outdated If-Match, which sensors do not affect', async () => {
		const tag = await tagOf(B);
		await twin.call('POST', `${B}/sensors`, { token: admin, body: { sensorId: 'door-1', roomId: 'hall' } });
		expect(await tagOf(B)).toBe(tag);
		await twin.call('PATCH', B, { token: admin, body: { name: 'New' } });
		expect((await twin.call('DELETE', B, matching(tag))).status).toBe(412);
		expect((await twin.call('DELETE', B, matching(`W/${await tagOf(B)}`))).status).toBe(204);
	});

	it('all take effect when they change different things at once', async () => {
		const changes = [
			{ path: B, method: 'PATCH', body: { name: 'New' } },
			{ path: `${B}/rooms/hall`, method: 'PATCH', body: { capacity: 77 } },
			{ path: `${B}/rooms/attic`, method: 'PATCH', body: { color: '#123456' } },
			{ path: `${B}/columns`, method: 'PUT', body: { columns: ['noise'] } },
			{ path: `${B}/rooms/hall`, method: 'PATCH', body: { thresholds: { co2: { max: 1 } } } },
		];
		const answers = await Promise.all(
			changes.map(({ path, method, body }) => twin.call(method, path, { token: admin, body })),
		);
		expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
		const hall = { ...MUSEUM.rooms[0], capacity: 77 };
		const attic = { ...MUSEUM.rooms[1], color: '#123456' };
		expect((await twin.call(`GET`, B, { token: admin })).body).toMatchObject({ name: 'New', rooms: [hall, attic] });
		expect((await twin.call<Thresholds>('GET', `${B}/thresholds`, { token: admin })).body.rooms).toEqual({
			hall: { co2: { max: 1 } },
		});
		expect((await twin.call('GET', `${B}/columns`, { token: admin })).body).toEqual({ columns: ['noise'] });
	});

	it('leave no sensor in a room or building that is removed at the same time', async () => {
		const sensors = Array.from({ length: 20 }, (_, n) => ({ sensorId: `s-${n}`, roomId: 'hall' }));
		const register = sensors.map((body) => twin.call('POST', `${B}/sensors`, { token: admin, body }));
		const shrink = twin.call('PATCH', B, { token: admin, body: { rooms: [room('attic')] } });
		const statuses = (await Promise.all(register)).map(({ status }) => status);
		expect((await shrink).status).toBe(200);
		expect(new Set(statuses).difference(new Set([201, 422]))).toEqual(new Set());
		expect((await twin.call('GET', `${B}/sensors`, { token: admin })).body).toEqual({ sensors: [] });

		const more = sensors.map(({ sensorId }) =>
			twin.call('POST', `${B}/sensors`, { token: admin, body: { sensorId, roomId: 'attic' } }),
		);
		const removal = twin.call('DELETE', B, { token: admin });
		await Promise.all(more);
		expect((await removal).status).toBe(204);
		await upload({ ...MUSEUM, id: 'museum-2' });
		for (const { sensorId } of sensors) {
			expect(
				(await twin.call('POST', '/buildings/museum-2/sensors', { token: admin, body: { sensorId, roomId: 'hall' } }))
					.status,
			).toBe(201);
		}
	});
});
