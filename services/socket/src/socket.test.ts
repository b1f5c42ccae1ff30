import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type Alert, CHANNELS, type Membership, type RetainedBuilding, TABLES } from '@crowdvision/contracts';
import { closeServer, createServer, listen, SESSION_COOKIE, type Service, Tokens } from '@crowdvision/service-kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openServiceWorld, readingOf, type Served, type ServiceWorld } from '../../../test/support/service-world.ts';
import { waitFor, within } from '../../../test/support/wait.ts';
import { createSocket, type SocketOptions } from './index.ts';
import { connectDashboard, type Dashboard } from './testing/dashboard.ts';
import { startStallingProxy } from './testing/stalling-proxy.ts';

let world: ServiceWorld;
let service: Served & { service: Service };
const dashboards: Dashboard[] = [];

const building = (id: string, domain: string): RetainedBuilding => ({
	id,
	name: id,
	domains: [domain],
	rooms: [{ id: 'hall', name: 'Hall', capacity: 100 }],
});
const MEMBER: Membership = { domainName: 'museum', role: 'standard_customer' };

async function begin(options?: SocketOptions): Promise<void> {
	await world.parts.bus.retain(TABLES.buildings, 'museum-1', JSON.stringify(building('museum-1', 'museum')));
	await world.parts.bus.retain(TABLES.buildings, 'zoo-1', JSON.stringify(building('zoo-1', 'zoo')));
	service = await world.serve((parts) => createSocket(parts, options));
}

async function open(token?: string, url = service.url): Promise<Dashboard> {
	const dashboard = await connectDashboard(url, token ?? (await world.token(MEMBER)));
	dashboards.push(dashboard);
	return dashboard;
}

let told = 0;
/** Readings whose values count on over the whole test. */
const next = (count: number, more: object = {}) =>
	Array.from({ length: count }, () => readingOf({ buildingId: 'museum-1', roomId: 'hall', metric: 'illuminance', value: told++, ...more }));
const countUp = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);

beforeEach(async () => {
	told = 0;
	world = await openServiceWorld();
});

afterEach(async () => {
	for (const dashboard of dashboards.splice(0)) dashboard.close();
	await world.stop();
});

describe('who gets in', () => {
	const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
	const handMade = (changed: object, secret: string, alg = 'HS256') => {
		const now = Math.floor(Date.now() / 1000);
		const claims = {
			sub: randomUUID(),
			name: 'Eve',
			memberships: [MEMBER],
			iss: 'crowdvision',
			aud: 'account',
			iat: now,
			exp: now + 600,
			jti: 'x',
			...changed,
		};
		const body = `${encode({ alg, typ: 'JWT' })}.${encode(claims)}`;
		return alg === 'none' ? `${body}.` : `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
	};
	const SECRET = 'a secret for tests only, of more than 32 characters';
	const refused = { error: { code: 'unauthenticated' } };

	beforeEach(() => begin());

	it('is an account with a valid token', async () => {
		expect((await open(handMade({}, SECRET))).socket.connected).toBe(true);
	});

	it('is nobody without one, nor with one of alg none, of another secret, expired, or of a device', async () => {
		await expect(connectDashboard(service.url, undefined)).rejects.toMatchObject(refused);
		await expect(open('garbage')).rejects.toMatchObject(refused);
		await expect(open(handMade({}, SECRET, 'none'))).rejects.toMatchObject(refused);
		await expect(open(handMade({}, 'another secret of more than 32 characters'))).rejects.toMatchObject(refused);
		await expect(open(handMade({ exp: Math.floor(Date.now() / 1000) - 1 }, SECRET))).rejects.toMatchObject(refused);
		await expect(open(await world.parts.tokens.signDevice({ id: 'd1', domainName: 'museum' }))).rejects.toMatchObject(refused);
		await expect(open(await new Tokens('x'.repeat(40)).signAccount({ id: 'eve', name: 'Eve', memberships: [MEMBER] }))).rejects.toMatchObject(
			refused,
		);
	});

	it("is a browser's session on its own site, and on no other", async () => {
		const cookie = `other=1; ${SESSION_COOKIE}=${await world.token(MEMBER)}`;
		const enter = (origin?: string) => connectDashboard(service.url, undefined, { extraHeaders: { cookie, ...(origin && { origin }) } });
		for (const origin of [undefined, service.url]) dashboards.push(await enter(origin));
		await expect(enter('https://evil.example')).rejects.toMatchObject(refused);
		await expect(enter('null')).rejects.toMatchObject(refused);
	});

	it('is put out when the token expires', async () => {
		const dashboard = await open(handMade({ exp: Math.floor(Date.now() / 1000) + 2 }, SECRET));
		expect(await dashboard.subscribe('museum-1')).toMatchObject({ ok: true });
		await waitFor('the end of the session', () => dashboard.disconnected.length > 0);
		expect(dashboard.disconnected).toEqual(['io server disconnect']);
	});
});

describe('subscribing', () => {
	it('gives the readings of that building as they come, in order, each with its cursor', async () => {
		await begin();
		const dashboard = await open();
		expect(await dashboard.subscribe('museum-1')).toEqual({ ok: true, cursor: '0' });
		const positions: string[] = [];
		for (let n = 0; n < 20; n++)
			positions.push(...(await world.tell(...next(3), readingOf({ buildingId: 'zoo-1', roomId: 'hall', metric: 'co2', value: 1 }))).slice(0, 3));
		await waitFor('all readings', () => dashboard.readings.length === 60);
		expect(dashboard.values()).toEqual(countUp(0, 60));
		expect(dashboard.readings.map(({ cursor }) => cursor)).toEqual(positions);
		expect(dashboard.readings[0]).toMatchObject({ buildingId: 'museum-1', roomId: 'hall', unit: 'lx', transport: 'http' });
	});

	it('is refused for a foreign building exactly as for one that is not there', async () => {
		await begin();
		const dashboard = await open();
		const [foreign, unknown] = await Promise.all([dashboard.subscribe('zoo-1'), dashboard.subscribe('nowhere')]);
		expect(foreign).toMatchObject({ ok: false, error: { code: 'not_found' } });
		expect(foreign).toEqual(unknown);
		const positions = await world.tell(readingOf({ buildingId: 'zoo-1', roomId: 'hall', metric: 'co2', value: 1 }), ...next(1));
		expect(await dashboard.subscribe('museum-1', positions[0])).toMatchObject({ ok: true });
		await waitFor('the own reading', () => dashboard.readings.length > 0);
		expect(dashboard.readings.map(({ buildingId }) => buildingId)).toEqual(['museum-1']);
	});

	it('is refused for what is no request', async () => {
		await begin();
		const dashboard = await open();
		for (const request of [null, {}, { buildingId: 7 }, { buildingId: 'a/b' }, { buildingId: 'museum-1', cursor: 'x'.repeat(100) }]) {
			expect(await dashboard.socket.timeout(5000).emitWithAck('subscribe', request as { buildingId: string })).toMatchObject({
				ok: false,
				error: { code: 'bad_request' },
			});
		}
		// Without a callback, and with something else in its place.
		dashboard.socket.emit('subscribe', { buildingId: 'museum-1' }, 'no function' as never);
		expect(await dashboard.subscribe('museum-1')).toMatchObject({ ok: true });
	});

	it('waits a moment for a building just made', async () => {
		await begin();
		const dashboard = await open();
		const outcome = dashboard.subscribe('museum-2');
		await world.parts.bus.retain(TABLES.buildings, 'museum-2', JSON.stringify(building('museum-2', 'museum')));
		expect(await outcome).toMatchObject({ ok: true });
	});

	it('ends when the building goes to another domain, or is unsubscribed from', async () => {
		await begin();
		const [leaving, staying] = [await open(), await open()];
		const both = await open(await world.token(MEMBER, { domainName: 'zoo', role: 'admin' }));
		for (const dashboard of [leaving, staying, both]) await dashboard.subscribe('museum-1');
		await world.tell(...next(1));
		await waitFor('the first reading', () => [leaving, staying, both].every(({ readings }) => readings.length === 1));
		expect(await leaving.socket.timeout(5000).emitWithAck('unsubscribe', { buildingId: 'museum-1' })).toEqual({ ok: true });
		await world.tell(...next(1));
		await waitFor('the second reading', () => [staying, both].every(({ readings }) => readings.length === 2));
		await world.parts.bus.retain(TABLES.buildings, 'museum-1', JSON.stringify(building('museum-1', 'zoo')));
		await world.tell(...next(1));
		await waitFor('the third reading', () => both.readings.length === 3);
		expect([leaving, staying, both].map(({ readings }) => readings.length)).toEqual([1, 2, 3]);
	});
});

describe('P12 live views catch up', () => {
	it.each<[string, SocketOptions | undefined]>([
		['from what is recent', undefined],
		['from the bus, where that does not reach back far enough', { recent: { entries: 50, bytes: 1024 * 1024 } }],
	])('after a cursor, %s, while more comes in: all of it, in order, once', async (_how, options) => {
		await begin(options);
		const [cursor] = await world.tell(...next(1));
		await world.tell(...next(1500));
		const dashboard = await open();
		expect(await dashboard.subscribe('museum-1', cursor)).toEqual({ ok: true, cursor });
		for (let n = 0; n < 20; n++) await world.tell(...next(10));
		await waitFor('everything', () => dashboard.readings.length >= 1700);
		expect(dashboard.values()).toEqual(countUp(1, 1701));
		expect(dashboard.superseded).toEqual([]);
	});

	it.each([20_000, 40])('across many cuts at any moment, at a steady rate, with %i readings held: everything, in order, once', async (entries) => {
		await begin({ recent: { entries, bytes: 8 * 1024 * 1024 }, everyMs: 10 });
		let writing = true;
		const writer = (async () => {
			while (writing) {
				await world.tell(...next(4));
				await new Promise((resolve) => setTimeout(resolve, 4));
			}
		})();
		const all: number[] = [];
		let cursor = '0';
		for (let cut = 0; cut < 15; cut++) {
			const dashboard = await open();
			expect(await dashboard.subscribe('museum-1', cursor)).toMatchObject({ ok: true });
			await waitFor('a few readings', () => dashboard.readings.length > cut * 7);
			dashboard.close();
			all.push(...dashboard.values());
			cursor = dashboard.readings.at(-1)?.cursor ?? cursor;
			expect(dashboard.superseded).toEqual([]);
		}
		writing = false;
		await writer;
		const last = await open();
		await last.subscribe('museum-1', cursor);
		await waitFor('the rest', () => all.length + last.readings.length >= told);
		expect([...all, ...last.values()]).toEqual(countUp(0, told));
	});

	it('across a restart of the service, which dashboards come back from by themselves', async () => {
		await begin();
		const dashboard = await open();
		await dashboard.subscribe('museum-1');
		await world.tell(...next(10));
		await waitFor('the first readings', () => dashboard.readings.length === 10);
		await service.close();
		expect(dashboard.disconnected).toEqual(['transport close']);
		await world.tell(...next(300));
		await begin();
		const again = await open();
		await again.subscribe('museum-1', dashboard.readings.at(-1)!.cursor);
		await world.tell(...next(5));
		await waitFor('everything', () => again.readings.length >= 305);
		expect([...dashboard.values(), ...again.values()]).toEqual(countUp(0, 315));
	});

	it('from a cursor that is a moment ahead of this service, as a snapshot may be: nothing before it comes', async () => {
		await begin({ everyMs: 200 });
		const dashboard = await open();
		const positions = await world.tell(...next(5));
		expect(await dashboard.subscribe('museum-1', positions[4])).toMatchObject({ ok: true });
		await world.tell(...next(5));
		await waitFor('what is new', () => dashboard.readings.length >= 5);
		expect(dashboard.values()).toEqual(countUp(5, 10));
	});

	it('is told where its cursor is of another stream, or of none, and goes on from here', async () => {
		await begin();
		await world.tell(...next(3));
		for (const cursor of ['99999999', '1764000000000-7']) {
			const dashboard = await open();
			expect(await dashboard.subscribe('museum-1', cursor)).toMatchObject({ ok: true });
			await waitFor('the notice', () => dashboard.superseded.length > 0);
			expect(dashboard.superseded).toEqual([{ buildingId: 'museum-1', reason: 'cursor_expired', from: cursor, cursor: expect.any(String) }]);
			const from = told;
			await world.tell(...next(2));
			await waitFor('what is new', () => dashboard.readings.length >= 2);
			expect(dashboard.values()).toEqual(countUp(from, from + 2));
		}
	});
});

describe('a cursor no longer held', () => {
	it('is said to be superseded, with what is missing; what is held follows, in order, once', async () => {
		await world.stop();
		world = await openServiceWorld({ log: { maxBytes: 128 * 1024, segmentBytes: 16 * 1024, whenFull: 'drop-oldest' } });
		const [cursor] = await world.tell(...next(1));
		await begin({ recent: { entries: 10, bytes: 1024 * 1024 } });
		for (let n = 0; n < 20; n++) await world.tell(...next(100));
		const dashboard = await open();
		expect(await dashboard.subscribe('museum-1', cursor)).toMatchObject({ ok: true });
		await world.tell(...next(1));
		await waitFor('the newest', () => dashboard.values().at(-1) === told - 1);
		expect(dashboard.superseded).toHaveLength(1);
		const [gap] = dashboard.superseded;
		expect(gap).toMatchObject({ buildingId: 'museum-1', reason: 'cursor_expired', from: cursor });
		const first = dashboard.readings[0]!;
		expect(world.parts.bus.compare(first.cursor, gap!.cursor)).toBeGreaterThan(0);
		expect(first.value).toBeGreaterThan(1);
		expect(dashboard.values()).toEqual(countUp(first.value, told));
	});
});

describe('a slow dashboard', () => {
	it('gets the latest of each room and metric instead of a growing queue, is told so, then everything again', async () => {
		await begin({ everyMs: 5 });
		const proxy = await startStallingProxy(service.url);
		const slow = await open(undefined, proxy.url);
		const quick = await open();
		for (const dashboard of [slow, quick]) await dashboard.subscribe('museum-1');
		await world.tell(...next(10));
		await waitFor('both live', () => [slow, quick].every(({ readings }) => readings.length === 10));
		proxy.stall();
		// Large enough to fill the kernel's buffers.
		const large = { gatewayId: 'g'.repeat(4000) };
		for (let n = 0; n < 150; n++) {
			await world.tell(...next(20, large), readingOf({ buildingId: 'museum-1', roomId: 'hall', metric: 'co2', value: n }));
			await waitFor('the quick one', () => quick.values().includes(told - 1));
		}
		expect(quick.readings).toHaveLength(10 + 150 * 21);
		expect(quick.superseded).toEqual([]);
		expect(slow.readings.length).toBeLessThan(quick.readings.length);
		proxy.resume();
		await waitFor('the notice', () => slow.superseded.length > 0);
		await waitFor('the latest', () => slow.values().at(-1) === 149 || slow.values().at(-1) === told - 1);
		const [{ from, cursor, reason }] = slow.superseded as [Dashboard['superseded'][number]];
		expect(reason).toBe('slow');
		const { compare } = world.parts.bus;
		const within = slow.readings.filter(
			(one) => compare.call(world.parts.bus, one.cursor, from!) > 0 && compare.call(world.parts.bus, one.cursor, cursor) <= 0,
		);
		expect(within.map(({ metric, value }) => [metric, value]).sort()).toEqual([
			['co2', 149],
			['illuminance', told - 1],
		]);
		const before = quick.readings.filter((one) => compare.call(world.parts.bus, one.cursor, from!) <= 0).map(({ id }) => id);
		expect(slow.readings.slice(0, -within.length).map(({ id }) => id)).toEqual(before);
		const now = told;
		await world.tell(...next(30));
		await waitFor('everything again', () => slow.values().at(-1) === told - 1);
		expect(slow.values().slice(-30)).toEqual(countUp(now, told));
		expect(slow.superseded).toHaveLength(1);
		await proxy.close();
	});
});

describe('what else a dashboard hears', () => {
	const alert = (domainNames: string[]): Alert => ({
		id: randomUUID(),
		domainNames,
		buildingId: 'museum-1',
		roomId: 'hall',
		kind: 'occupancy',
		severity: 'critical',
		state: 'open',
		observedAt: Date.now(),
		message: 'Hall: 101 people',
	});

	it("are its domains' alerts, and no others: fails closed by tenant", async () => {
		await begin();
		const [museum, zoo, nobody] = [
			await open(),
			await open(await world.token({ domainName: 'zoo', role: 'admin' })),
			await open(await world.token()),
		];
		const [mine, everybodys, nobodys] = [alert(['museum/east']), alert(['museum', 'zoo']), alert([])];
		for (const one of [nobodys, mine]) await world.parts.bus.announce(CHANNELS.notifications, JSON.stringify(one));
		await world.parts.bus.announce(CHANNELS.notifications, 'no alert');
		await world.parts.bus.announce(CHANNELS.notifications, JSON.stringify(everybodys));
		await waitFor('the last alert', () => museum.alerts.length > 1 && zoo.alerts.length > 0);
		expect(museum.alerts).toEqual([mine, everybodys]);
		expect(zoo.alerts).toEqual([everybodys]);
		expect(nobody.alerts).toEqual([]);
	});

	it('are the devices of its buildings: those registered, and those that were heard of', async () => {
		await begin();
		const [museum, zoo] = [await open(), await open(await world.token({ domainName: 'zoo', role: 'admin' }))];
		await world.parts.bus.retain(TABLES.sensors, 'door-1', JSON.stringify({ sensorId: 'door-1', buildingId: 'museum-1', roomId: 'hall' }));
		await museum.subscribe('museum-1');
		await world.tell(readingOf({ buildingId: 'museum-1', roomId: 'hall', metric: 'co2', value: 1, sensorId: 'air-1' }));
		await waitFor('the reading', () => museum.readings.length > 0);
		const event = (sensorId: string) => ({ sensorId, state: 'online' as const, at: Date.now(), gatewayId: 'pi' });
		const events = ['unknown', 'door-1', 'air-1'].map(event);
		for (const one of events) await world.parts.bus.announce(CHANNELS.devices, JSON.stringify(one));
		await waitFor('the devices', () => museum.devices.length === 2);
		expect(museum.devices).toEqual(events.slice(1));
		expect(zoo.devices).toEqual([]);
	});
});

describe('sharing and leaving the HTTP server', () => {
	it('leaves upgrades of other paths to others, however long they take', async () => {
		await begin();
		const shared = createServer();
		service.service.attach?.(shared);
		shared.on('upgrade', (request, socket) => {
			// Engine.IO would have ended it after a second.
			if (request.url === '/mqtt') setTimeout(() => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'), 1300);
		});
		const port = await listen(shared, 0, '127.0.0.1');
		const client = connect(port, '127.0.0.1');
		client.write('GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
		const [answer] = await once(client, 'data');
		expect(String(answer)).toMatch(/^HTTP\/1.1 101 /);
		client.destroy();
		await closeServer(shared, 100);
	});

	it('stops promptly, with dashboards connected that do not hear of it', async () => {
		await begin();
		const proxy = await startStallingProxy(service.url);
		const [stalled, polling] = [
			await open(undefined, proxy.url),
			await connectDashboard(service.url, await world.token(MEMBER), { transports: ['polling'] }),
		];
		dashboards.push(polling);
		await stalled.subscribe('museum-1');
		proxy.stall();
		await within('stopping', service.close());
		await proxy.close();
	});
});
