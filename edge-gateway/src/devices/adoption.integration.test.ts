import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DeviceEvent, type Membership, type RetainedAdoption, TABLES } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayWorld, isWorthCopying, openGatewayWorld } from '../testing/gateway-world.ts';
import { serialLine } from '../testing/serial-line.ts';
import type { QuarantinedSensor } from './quarantine.ts';

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

/** Sends a reading over HTTP and resolves with the answer's status, and code where it is an error. */
async function sent(sensorId: string, token: string, more: object = {}): Promise<string> {
	const { status, body } = await world.call('POST', '/ingest', { token, body: reading(sensorId, more) });
	return body.error ? `${status} ${body.error.code}` : `${status}`;
}

/** What the gateway tells twin of its adoptions, until it takes it back. */
async function toldOf(sensorId: string): Promise<RetainedAdoption | undefined> {
	let value: string | null = null;
	const watch = await world.bus.watch(TABLES.adoptions, (key, told) => {
		if (key === sensorId) value = told;
	});
	await watch.close();
	return value === null ? undefined : (JSON.parse(value) as RetainedAdoption);
}

describe('a sensor whose place nobody knows', () => {
	it('is listed with where it comes from, since when, how often, and what it measures', async () => {
		const token = await domainDevice('d2');
		expect(await sent('stranger', token)).toBe('422 unknown_sensor');
		expect(await sent('stranger', token, { metric: 'noise', value: 40 })).toBe('422 unknown_sensor');
		expect(await sent('another', token)).toBe('422 unknown_sensor');
		expect(await quarantined()).toMatchObject([
			{ sensorId: 'another', count: 1, metric: 'co2' },
			{
				sensorId: 'stranger',
				transport: 'http',
				source: 'POST /ingest',
				sender: 'd2',
				domainName: 'acme',
				count: 2,
				metric: 'noise',
				sample: expect.stringContaining('"stranger"'),
			},
		]);
		const [, { firstSeen, lastSeen }] = (await quarantined()) as [QuarantinedSensor, QuarantinedSensor];
		expect(lastSeen).toBeGreaterThanOrEqual(firstSeen);
	});

	it("is seen by its own domain's staff, and adopted by nobody else", async () => {
		await sent('stranger', await domainDevice('d1'));
		const foreign = await world.account({ domainName: 'other', role: 'business_admin' });
		expect(await quarantined(foreign)).toEqual([]);
		expect((await act('adopt', 'stranger', { buildingId: 'foreign', roomId: 'hall' }, foreign)).status).toBe(404);
		expect((await act('adopt', 'stranger', PLACE, foreign)).status).toBe(404);
		const visitor = await world.account({ domainName: 'acme', role: 'standard_customer' });
		expect((await act('adopt', 'stranger', PLACE, visitor)).status).toBe(403);
		// Two tenants' devices may call a sensor the same; neither takes the other's entry.
		await sent('stranger', await domainDevice('d9', 'other'));
		expect(await quarantined()).toMatchObject([{ domainName: 'acme' }]);
		expect(await quarantined(foreign)).toMatchObject([{ domainName: 'other' }]);
		// What a device may not speak for is no stranger, but forbidden.
		expect(await sent('not-mine', await world.token('d3', { sensorIds: ['mine'] }))).toBe('403 forbidden');
		expect(await quarantined()).toHaveLength(1);
	});

	it('at a port of this machine is adopted by who sees it in the list, and by nobody else', async () => {
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

	it('is kept over a restart', async () => {
		await sent('stranger', await domainDevice('d1'));
		const copy = await mkdtemp(join(tmpdir(), 'crowdvision-quarantine-'));
		onTestFinished(() => rm(copy, { recursive: true }));
		await waitFor('it to be on disk', async () => {
			await cp(world.dataDir, copy, { recursive: true, filter: isWorthCopying });
			const next = await openGatewayWorld({ copyOf: copy });
			const found = await quarantined(staff, next);
			await next.stop();
			return found.length === 1 && found[0]!.count === 1;
		});
	});
});

describe('adoption', () => {
	it('gives it a place at once, tells twin until twin has it, and then leaves it to twin', async () => {
		const token = await domainDevice('d1');
		await sent('stranger', token);
		expect((await act('adopt', 'stranger', { ...PLACE, roomId: 'cellar' })).body.error).toMatchObject({
			code: 'invalid',
			path: '/roomId',
		});
		expect(await act('adopt', 'stranger', PLACE)).toMatchObject({
			status: 200,
			body: { sensorId: 'stranger', ...PLACE },
		});
		expect(await quarantined()).toEqual([]);
		expect(await sent('stranger', token)).toBe('202');
		expect((await world.stored()).at(-1)).toMatchObject({ sensorId: 'stranger', ...PLACE });
		// Again, as somebody who heard no answer would.
		expect((await act('adopt', 'stranger', PLACE)).status).toBe(200);
		expect((await act('adopt', 'stranger', { buildingId: 'b2', roomId: 'hall' })).body.error).toMatchObject({
			code: 'conflict',
		});
		expect(await toldOf('stranger')).toEqual({
			sensorId: 'stranger',
			...PLACE,
			gatewayId: 'test',
			at: expect.any(Number),
		});
		await world.bus.retain(TABLES.sensors, 'stranger', JSON.stringify({ sensorId: 'stranger', ...PLACE }));
		await waitFor('the gateway to take it back', async () => (await toldOf('stranger')) === undefined);
		expect(await sent('stranger', token)).toBe('202');
		// From here on twin says where it stands, and whether.
		await world.bus.retain(TABLES.sensors, 'stranger', null);
		await waitFor('it to be a stranger again', async () => (await sent('stranger', token)) === '422 unknown_sensor');
	});

	it('is undone where twin does not take it in', async () => {
		const token = await domainDevice('d1');
		await sent('stranger', token);
		await act('adopt', 'stranger', PLACE);
		const told = await waitFor('twin to be told', () => toldOf('stranger'));
		await world.bus.retain(TABLES.adoptions, 'stranger', JSON.stringify({ ...told, refused: 'no such room' }));
		await waitFor('it to be a stranger again', async () => (await sent('stranger', token)) === '422 unknown_sensor');
		expect(await toldOf('stranger')).toBeUndefined();
	});

	it('needs a sensor that was heard of, and whose device may write for the building', async () => {
		expect((await act('adopt', 'never-heard', PLACE)).body.error).toMatchObject({ code: 'not_found' });
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

	it('holds after a gateway that was killed right behind its answer', async () => {
		await sent('stranger', await domainDevice('d1'));
		await act('adopt', 'stranger', PLACE);
		const next = await openGatewayWorld({ copyOf: world.dataDir });
		onTestFinished(() => next.stop());
		const { status } = await next.call('POST', '/ingest', {
			token: await domainDevice('d1'),
			body: reading('stranger'),
		});
		expect(status).toBe(202);
	});
});

describe('replacement', () => {
	it('gives the new sensor the place of the old one, which is offline and not taken any more', async () => {
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
		expect(await toldOf('new')).toMatchObject({ ...PLACE, replaces: 'registered' });
		await waitFor('the old one to be told as offline', () =>
			events.find((event) => event.sensorId === 'registered' && event.state === 'offline'),
		);
		// Twin does it in one step; whoever sees only half of it must not take it for done.
		await world.bus.retain(TABLES.sensors, 'new', JSON.stringify({ sensorId: 'new', ...PLACE }));
		await world.bus.retain(TABLES.sensors, 'registered', null);
		await waitFor('the gateway to take it back', async () => (await toldOf('new')) === undefined);
		expect(await sent('registered', token, PLACE)).toBe('403 not_admitted');
		// Repaired, it is put up somewhere else.
		expect((await act('adopt', 'registered', { buildingId: 'b2', roomId: 'hall' })).status).toBe(200);
		expect(await sent('registered', token)).toBe('202');
		expect((await world.stored()).at(-1)).toMatchObject({ sensorId: 'registered', buildingId: 'b2' });
	});

	it('needs an old sensor with a place, another new one, and staff of the building', async () => {
		expect((await act('replace', 'never-heard', { by: 'new' })).body.error).toMatchObject({ code: 'not_found' });
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
			'it to be known',
			async () => (await act('replace', 'registered', { by: 'taken' })).body.error?.code === 'conflict',
		);
	});

	it('ends when the old sensor is registered again', async () => {
		const token = await domainDevice('d1');
		await act('replace', 'registered', { by: 'new' });
		await world.bus.retain(TABLES.sensors, 'registered', null);
		expect(await sent('registered', token, PLACE)).toBe('403 not_admitted');
		await world.bus.retain(TABLES.sensors, 'registered', JSON.stringify({ sensorId: 'registered', ...PLACE }));
		await waitFor('it to be taken again', async () => (await sent('registered', token)) === '202');
	});
});

describe('who may speak', () => {
	it('is what the lists of gateway.yaml say, by sensor or by device', async () => {
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
