import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
	type DeviceEvent,
	type DeviceList,
	type Membership,
	type QuarantinedSensor,
	type RetainedAdoption,
	TABLES,
} from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayWorld, isWorthCopying, openGatewayWorld } from '../testing/gateway-world.ts';
import { serialLine } from '../testing/serial-line.ts';

let world: GatewayWorld;
let staff: string;
beforeEach(async () => {
	world = await openGatewayWorld();
	staff = await world.account({ domainName: 'acme', role: 'business_staff' });
});
afterEach(() => world.stop());

const PLACE = { buildingId: 'b1', roomId: 'hall' };
const reading = (sensorId: string, more: object = {}) => ({ sensorId, metric: 'co2', value: 420, ...more });
const quarantined = async (token = staff, from = world) =>
	(await from.call('GET', '/devices', { token })).body.quarantined as unknown as QuarantinedSensor[];
const act = (action: string, sensorId: string, body: object, token = staff) =>
	world.call('POST', `/devices/${sensorId}/${action}`, { token, body });
const domainDevice = (id: string, domainName = 'acme') => world.token(id, { domainName });

/** Sends a reading over HTTP and resolves with the answer's status, and the code of an error. */
async function sent(sensorId: string, token: string, more: object = {}): Promise<string> {
	const { status, body } = await world.call('POST', '/ingest', { token, body: reading(sensorId, more) });
	return body.error ? `${status} ${body.error.code}` : `${status}`;
}

/** The adoption of a sensor that the gateway publishes for twin; undefined once it is removed. */
async function publishedAdoption(sensorId: string): Promise<RetainedAdoption | undefined> {
	let value: string | null = null;
	const watch = await world.bus.watch(TABLES.adoptions, (key, published) => {
		if (key === sensorId) value = published;
	});
	await watch.close();
	return value === null ? undefined : (JSON.parse(value) as RetainedAdoption);
}

describe('P14 the list of devices and sensors', () => {
	const page = async (query: string) =>
		(await world.call('GET', `/devices?${query}`, { token: staff })).body as unknown as DeviceList;

	it('comes in pages, and a sensor that sends between two of them is not missed', async () => {
		const token = await domainDevice('d2');
		for (let n = 0; n < 4; n++) await sent(`placed-${n}`, token, PLACE);
		for (let n = 0; n < 5; n++) await sent(`unplaced-${n}`, token);
		const whole = await page('');
		expect([whole.devices.length, whole.sensors.length, whole.quarantined.length]).toEqual([1, 4, 5]);
		const ids: string[] = [];
		for (let cursor = ''; ; ) {
			const { devices, sensors, quarantined: unknown, nextCursor } = await page(`limit=2${cursor}`);
			ids.push(...devices.map(({ id }) => id), ...[...sensors, ...unknown].map(({ sensorId }) => sensorId));
			if (nextCursor === undefined) break;
			cursor = `&cursor=${nextCursor}`;
			await sent('unplaced-0', token);
		}
		expect(ids).toEqual([
			'd2',
			...['placed-0', 'placed-1', 'placed-2', 'placed-3'],
			...whole.quarantined.map(({ sensorId }) => sensorId),
		]);
		expect((await world.call('GET', '/devices?cursor=abc', { token: staff })).status).toBe(400);
	});
});

describe('a sensor whose place is unknown', () => {
	it('is listed with its source, times, number of messages and metric', async () => {
		const token = await domainDevice('d2');
		expect(await sent('unplaced', token)).toBe('422 unknown_sensor');
		expect(await sent('unplaced', token, { metric: 'noise', value: 40 })).toBe('422 unknown_sensor');
		expect(await sent('another', token)).toBe('422 unknown_sensor');
		expect(await quarantined()).toMatchObject([
			{ sensorId: 'another', count: 1, metric: 'co2' },
			{
				sensorId: 'unplaced',
				transport: 'http',
				source: 'POST /ingest',
				sender: 'd2',
				domainName: 'acme',
				count: 2,
				metric: 'noise',
				sample: expect.stringContaining('"unplaced"'),
			},
		]);
		const [, { firstSeen, lastSeen }] = (await quarantined()) as [QuarantinedSensor, QuarantinedSensor];
		expect(lastSeen).toBeGreaterThanOrEqual(firstSeen);
	});

	it("is seen and adopted only by its own domain's staff", async () => {
		await sent('unplaced', await domainDevice('d1'));
		const foreign = await world.account({ domainName: 'other', role: 'business_admin' });
		expect(await quarantined(foreign)).toEqual([]);
		expect((await act('adopt', 'unplaced', { buildingId: 'foreign', roomId: 'hall' }, foreign)).status).toBe(404);
		expect((await act('adopt', 'unplaced', PLACE, foreign)).status).toBe(404);
		const visitor = await world.account({ domainName: 'acme', role: 'standard_customer' });
		expect((await act('adopt', 'unplaced', PLACE, visitor)).status).toBe(403);
		// Two tenants may use the same sensor id; each has its own entry.
		await sent('unplaced', await domainDevice('d9', 'other'));
		expect(await quarantined()).toMatchObject([{ domainName: 'acme' }]);
		expect(await quarantined(foreign)).toMatchObject([{ domainName: 'other' }]);
		// A sensor for which the device may not send is forbidden rather than unknown.
		expect(await sent('not-mine', await world.token('d3', { sensorIds: ['mine'] }))).toBe('403 forbidden');
		expect(await quarantined()).toHaveLength(1);
	});

	it('is adopted only by operators who see it in the list, if it is at a port of this machine', async () => {
		const line = await serialLine();
		await world.stop();
		world = await openGatewayWorld({ settings: { serial: [{ path: line.path }] } });
		await line.send({ seq: 1, ...reading('wired') });
		await line.answered('NAK 1 unknown_sensor');
		expect(await quarantined()).toEqual([]);
		expect((await act('adopt', 'wired', PLACE)).status).toBe(404);
		const admin = await world.account({ domainName: '*', role: 'admin' });
		expect(await quarantined(admin)).toMatchObject([{ sensorId: 'wired' }]);
		expect((await act('adopt', 'wired', PLACE, admin)).status).toBe(200);
	});

	it('is kept across a restart', async () => {
		await sent('unplaced', await domainDevice('d1'));
		const copy = await mkdtemp(join(tmpdir(), 'crowdvision-quarantine-'));
		onTestFinished(() => rm(copy, { recursive: true }));
		await waitFor('the quarantine to be on disk', async () => {
			await cp(world.dataDir, copy, { recursive: true, filter: isWorthCopying });
			const next = await openGatewayWorld({ copyOf: copy });
			const found = await quarantined(staff, next);
			await next.stop();
			return found.length === 1 && found[0]!.count === 1;
		});
	});
});

describe('adopting a sensor', () => {
	it('gives it a place at once, is published until twin has registered it, and then leaves it to twin', async () => {
		const token = await domainDevice('d1');
		await sent('unplaced', token);
		expect((await act('adopt', 'unplaced', { ...PLACE, roomId: 'cellar' })).body.error).toMatchObject({
			code: 'invalid',
			path: '/roomId',
		});
		expect(await act('adopt', 'unplaced', PLACE)).toMatchObject({
			status: 200,
			body: { sensorId: 'unplaced', ...PLACE },
		});
		expect(await quarantined()).toEqual([]);
		expect(await sent('unplaced', token)).toBe('202');
		expect((await world.stored()).at(-1)).toMatchObject({ sensorId: 'unplaced', ...PLACE });
		// Again, as an operator who got no answer would.
		expect((await act('adopt', 'unplaced', PLACE)).status).toBe(200);
		expect((await act('adopt', 'unplaced', { buildingId: 'b2', roomId: 'hall' })).body.error).toMatchObject({
			code: 'conflict',
		});
		expect(await publishedAdoption('unplaced')).toEqual({
			sensorId: 'unplaced',
			...PLACE,
			gatewayId: 'test',
			at: expect.any(Number),
		});
		await world.bus.retain(TABLES.sensors, 'unplaced', JSON.stringify({ sensorId: 'unplaced', ...PLACE }));
		await waitFor(
			'the gateway to remove the adoption',
			async () => (await publishedAdoption('unplaced')) === undefined,
		);
		expect(await sent('unplaced', token)).toBe('202');
		// From here on twin decides whether and where the sensor is registered.
		await world.bus.retain(TABLES.sensors, 'unplaced', null);
		await waitFor('it to be unknown again', async () => (await sent('unplaced', token)) === '422 unknown_sensor');
	});

	it('is undone if twin refuses it', async () => {
		const token = await domainDevice('d1');
		await sent('unplaced', token);
		await act('adopt', 'unplaced', PLACE);
		const published = await waitFor('the adoption to be published', () => publishedAdoption('unplaced'));
		await world.bus.retain(TABLES.adoptions, 'unplaced', JSON.stringify({ ...published, refused: 'no such room' }));
		await waitFor('it to be unknown again', async () => (await sent('unplaced', token)) === '422 unknown_sensor');
		expect(await publishedAdoption('unplaced')).toBeUndefined();
	});

	it('requires a sensor that has sent, and whose device may send for the building', async () => {
		expect((await act('adopt', 'never-seen', PLACE)).body.error).toMatchObject({ code: 'not_found' });
		await sent('elsewhere', await world.token('d1', { buildingId: 'b2' }));
		expect((await act('adopt', 'elsewhere', PLACE)).body.error).toMatchObject({
			code: 'forbidden',
			message: expect.stringContaining('d1'),
		});
		expect((await act('adopt', 'elsewhere', { buildingId: 'b2', roomId: 'hall' })).status).toBe(200);
		expect((await act('adopt', 'elsewhere', { roomId: 'hall' })).body.error).toMatchObject({
			code: 'invalid',
			path: '/buildingId',
		});
	});

	it('survives a gateway that is killed right after its answer', async () => {
		await sent('unplaced', await domainDevice('d1'));
		await act('adopt', 'unplaced', PLACE);
		const next = await openGatewayWorld({ copyOf: world.dataDir });
		onTestFinished(() => next.stop());
		const { status } = await next.call('POST', '/ingest', {
			token: await domainDevice('d1'),
			body: reading('unplaced'),
		});
		expect(status).toBe(202);
	});
});

describe('replacing a sensor', () => {
	it('gives the new sensor the place of the old one, which is announced as offline and refused', async () => {
		const token = await domainDevice('d1');
		const events: DeviceEvent[] = [];
		await world.bus.listen('devices', (message) => events.push(JSON.parse(message) as DeviceEvent));
		await sent('new', token);
		expect(await act('replace', 'registered', { by: 'new' })).toMatchObject({
			status: 200,
			body: { sensorId: 'new', ...PLACE, replaces: 'registered' },
		});
		expect(await sent('new', token)).toBe('202');
		expect(await sent('registered', token)).toBe('403 not_admitted');
		expect(await publishedAdoption('new')).toMatchObject({ ...PLACE, replaces: 'registered' });
		await waitFor('the old sensor to be announced as offline', () =>
			events.find((event) => event.sensorId === 'registered' && event.state === 'offline'),
		);
		// Twin does it in one step; a gateway that sees half of it must not take it as done.
		await world.bus.retain(TABLES.sensors, 'new', JSON.stringify({ sensorId: 'new', ...PLACE }));
		await world.bus.retain(TABLES.sensors, 'registered', null);
		await waitFor('the gateway to remove the adoption', async () => (await publishedAdoption('new')) === undefined);
		expect(await sent('registered', token, PLACE)).toBe('403 not_admitted');
		// The old sensor is repaired and installed somewhere else.
		expect((await act('adopt', 'registered', { buildingId: 'b2', roomId: 'hall' })).status).toBe(200);
		expect(await sent('registered', token)).toBe('202');
		expect((await world.stored()).at(-1)).toMatchObject({ sensorId: 'registered', buildingId: 'b2' });
	});

	it('requires an old sensor with a place, a different new sensor, and staff of the building', async () => {
		expect((await act('replace', 'never-seen', { by: 'new' })).body.error).toMatchObject({ code: 'not_found' });
		expect((await act('replace', 'registered', { by: 'registered' })).body.error).toMatchObject({
			code: 'invalid',
			path: '/by',
		});
		expect((await act('replace', 'registered', { by: 'no such id' })).body.error).toMatchObject({
			code: 'invalid',
			path: '/by',
		});
		const elsewhere: Membership = { domainName: 'other', role: 'business_admin' };
		expect(
			(await act('replace', 'registered', { by: 'new' }, await world.account(elsewhere))).body.error,
		).toMatchObject({ code: 'not_found' });
		await world.bus.retain(
			TABLES.sensors,
			'taken',
			JSON.stringify({ sensorId: 'taken', buildingId: 'b2', roomId: 'hall' }),
		);
		await waitFor(
			'the sensor to be registered',
			async () => (await act('replace', 'registered', { by: 'taken' })).body.error?.code === 'conflict',
		);
	});

	it('ends when the old sensor is registered again', async () => {
		const token = await domainDevice('d1');
		await act('replace', 'registered', { by: 'new' });
		await world.bus.retain(TABLES.sensors, 'registered', null);
		expect(await sent('registered', token, PLACE)).toBe('403 not_admitted');
		await world.bus.retain(TABLES.sensors, 'registered', JSON.stringify({ sensorId: 'registered', ...PLACE }));
		await waitFor('it to be accepted again', async () => (await sent('registered', token)) === '202');
	});
});

describe('devices.allow and devices.deny', () => {
	it('decide by sensor id and by device id whose readings are accepted', async () => {
		await world.stop();
		world = await openGatewayWorld({
			settings: { devices: { allow: ['hall-*', 'gate?'], deny: ['hall-old', 'lost*'] } },
		});
		const token = await domainDevice('d1');
		expect(await sent('hall-1', token, PLACE)).toBe('202');
		expect(await sent('gate1', token, PLACE)).toBe('202');
		expect(await sent('gate12', token, PLACE)).toBe('403 not_admitted');
		expect(await sent('hall-old', token, PLACE)).toBe('403 not_admitted');
		expect(await sent('any', await domainDevice('gate2'), PLACE)).toBe('202');
		expect(await sent('hall-1', await domainDevice('lost-1'), PLACE)).toBe('403 not_admitted');
		expect((await world.rejected()).map(({ code, message }) => `${code} ${message}`)).toEqual([
			'not_admitted reading 0: "lost-1" is denied by devices.deny of gateway.yaml',
			'not_admitted reading 0: "hall-old" is denied by devices.deny of gateway.yaml',
			'not_admitted reading 0: neither "gate12" nor "d1" is allowed by devices.allow of gateway.yaml',
		]);
		expect(await world.metric('gateway_readings_rejected_total', { reason: 'not_admitted' })).toBe(3);
	});
});
