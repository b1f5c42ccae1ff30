import { type Membership, TABLES } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { messagesOn, mqttClient, rawSignedIn } from '../../src/testing/mqtt-clients.ts';
import { sendReadings, sensorSocket } from '../../src/testing/socketio-client.ts';

let world: GatewayWorld;
beforeAll(async () => {
	world = await openGatewayWorld({ settings: { serial: [{ path: '/dev/null', defaults: { sensorId: 'x' } }] } });
	// Each domain has a device with one stored and one refused message.
	for (const [id, domainName, buildingId] of [
		['of-acme', 'acme', 'b1'],
		['of-north', 'acme/north', 'north'],
		['of-other', 'other', 'foreign'],
	] as const) {
		await world.bus.retain(
			TABLES.buildings,
			buildingId,
			JSON.stringify({ id: buildingId, name: buildingId, domains: [domainName], rooms: [] }),
		);
		const token = await world.token(id, { domainName, buildingId });
		const body = { sensorId: 's', metric: 'co2', value: 400, roomId: 'hall' };
		await waitFor(
			`a reading of ${id} to be accepted`,
			async () => (await world.call('POST', '/ingest', { token, body })).status === 202,
		);
		expect((await world.call('POST', '/ingest', { token, body: { ...body, value: -1 } })).status).toBe(422);
	}
});
afterAll(() => world.stop());

async function visibleTo(...memberships: Membership[]): Promise<{ devices: string[]; rejected: string[] }> {
	const token = await world.account(...memberships);
	const [devices, rejected] = [
		await world.call('GET', '/devices', { token }),
		await world.call('GET', '/rejected', { token }),
	];
	expect([devices.status, rejected.status]).toEqual([200, 200]);
	return {
		devices: (devices.body.devices as { id: string }[]).map(({ id }) => id).filter((id) => id.startsWith('of-')),
		rejected: (rejected.body.rejected as { sender: string }[])
			.map(({ sender }) => sender)
			.filter((id) => id.startsWith('of-'))
			.reverse(),
	};
}

describe.each(['/devices', '/rejected'])('GET %s', (path) => {
	it.each<[string, () => Promise<string | undefined>]>([
		['a request without a token', async () => undefined],
		['a device', () => world.token('of-acme')],
		['an invalid token', async () => 'nonsense'],
	])('is refused to %s', async (_who, token) => {
		expect(await world.call('GET', path, { token: await token() })).toMatchObject({
			status: 401,
			body: { error: { code: 'unauthenticated' } },
		});
	});

	it.each<[string, Membership[]]>([
		['customers', [{ domainName: 'acme', role: 'standard_customer' }]],
		['accounts without a domain', []],
	])('is refused to %s', async (_who, memberships) => {
		const answer = await world.call('GET', path, { token: await world.account(...memberships) });
		expect(answer).toMatchObject({ status: 403, body: { error: { code: 'forbidden' } } });
		expect(answer.text).not.toContain('of-');
	});
});

describe('devices and rejected messages', () => {
	it('are visible to the staff of their domain, and of the domains above it', async () => {
		const all = { devices: ['of-acme', 'of-north'], rejected: ['of-acme', 'of-north'] };
		expect(await visibleTo({ domainName: 'acme', role: 'business_staff' })).toEqual(all);
		expect(await visibleTo({ domainName: 'acme/north', role: 'business_staff' })).toEqual({
			devices: ['of-north'],
			rejected: ['of-north'],
		});
		expect(
			await visibleTo({ domainName: 'other', role: 'admin' }, { domainName: 'acme', role: 'standard_customer' }),
		).toEqual({
			devices: ['of-other'],
			rejected: ['of-other'],
		});
		expect(await visibleTo({ domainName: 'acm', role: 'admin' })).toEqual({ devices: [], rejected: [] });
	});

	it('of a serial port of a machine that several tenants share are visible to platform admins only', async () => {
		const ports = async (role: Membership['role'], domainName = 'acme') => {
			const { body } = await world.call('GET', '/devices', { token: await world.account({ domainName, role }) });
			return (body.devices as { id: string; transport: string }[]).filter(({ transport }) => transport === 'serial');
		};
		await waitFor('the port', async () => (await ports('admin', '*')).length === 1);
		expect((await ports('admin', '*'))[0]).toMatchObject({
			id: '/dev/null',
			connected: false,
			trouble: expect.any(String),
		});
		expect(await ports('business_admin')).toEqual([]);
		expect(await ports('business_admin', 'other')).toEqual([]);
	});
});

describe('the configuration and bridges of the machine', () => {
	const bridge = {
		name: 'campus',
		url: 'mqtt://127.0.0.1:1',
		topics: [{ pattern: 'telemetry/#', direction: 'out' as const }],
	};
	let shared: GatewayWorld;
	const get = async (path: string, membership: Membership) =>
		shared.call('GET', path, { token: await shared.account(membership) });
	beforeAll(async () => {
		shared = await openGatewayWorld({
			settings: { serial: [{ path: '/dev/null', defaults: { sensorId: 'x' } }], bridges: [bridge] },
		});
	});
	afterAll(() => shared.stop());

	it('are visible to platform admins only, where several top-level domains share the machine', async () => {
		for (const role of ['business_staff', 'business_admin'] as const) {
			expect((await get('/config', { domainName: 'acme', role })).status).toBe(403);
			const { body } = await get('/bridges', { domainName: 'acme', role });
			expect(body.bridges).toEqual([{ name: 'campus', state: expect.any(String), since: expect.any(Number) }]);
		}
		// This test does not follow a configuration file.
		expect((await get('/config', { domainName: '*', role: 'admin' })).status).toBe(404);
		expect((await get('/bridges', { domainName: '*', role: 'admin' })).body.bridges).toMatchObject([
			{ name: 'campus', queued: expect.any(Number) },
		]);
		const spy = await rawSignedIn(shared, 'd1', await shared.token('d1'));
		spy.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'bridge/+/state', qos: 1 }] });
		expect(await spy.next('suback')).toMatchObject({ granted: [128] });
	});

	it('belong to the domain where there is only one: staff see the bridges, admins the configuration too', async () => {
		await shared.bus.retain(
			TABLES.buildings,
			'foreign',
			JSON.stringify({ id: 'foreign', name: 'foreign', domains: ['acme/north'], rooms: [] }),
		);
		const staff = { domainName: 'acme', role: 'business_staff' } as const;
		expect((await get('/bridges', staff)).body.bridges).toMatchObject([{ name: 'campus', queued: expect.any(Number) }]);
		await waitFor('the port', async () => (await get('/devices', staff)).text.includes('/dev/null'));
		expect((await get('/config', staff)).status).toBe(403);
		expect((await get('/config', { domainName: 'acme', role: 'business_admin' })).status).toBe(404);
		const client = await rawSignedIn(shared, 'd1', await shared.token('d1'));
		client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'bridge/+/state', qos: 1 }] });
		expect(await client.next('suback')).toMatchObject({ granted: [1] });
	});
});

describe('a device whose token was revoked', () => {
	/** A device that is connected over every transport, and how to revoke its token. */
	async function connectedDevice(id: string) {
		const token = await world.token(id, { sensorIds: [id], buildingId: 'b1' });
		const body = { sensorId: id, metric: 'co2', value: 400, roomId: 'hall' };
		const post = () => world.call('POST', '/ingest', { token, body });
		expect((await post()).status).toBe(202);
		return {
			token,
			body,
			post,
			mqtt: await mqttClient(world.mqttUrl, id, token, { clientId: 'one' }),
			socket: await sensorSocket(world.url, { token }),
			async revoke() {
				await world.bus.retain(TABLES.revokedDevices, id, JSON.stringify({ before: Math.floor(Date.now() / 1000) }));
				await waitFor('the revocation', async () => (await post()).status === 401);
			},
		};
	}

	it('can no longer connect over any transport', async () => {
		const { token, post, revoke } = await connectedDevice('gone-1');
		await revoke();
		expect(await post()).toMatchObject({
			status: 401,
			body: { error: { code: 'unauthenticated', message: 'The token was revoked' } },
		});
		for (const url of [world.mqttUrl, world.wsUrl])
			await expect(mqttClient(url, 'gone-1', token)).rejects.toMatchObject({ code: 4 });
		await expect(sensorSocket(world.url, { token })).rejects.toMatchObject({
			data: { error: { code: 'unauthenticated' } },
		});
	});

	it('can neither send nor receive on the connections it still has', async () => {
		const { body, mqtt, socket, revoke } = await connectedDevice('gone-2');
		const messages = await messagesOn(mqtt, 'telemetry/+/+/gone-2');
		await revoke();
		const end = world.log.nextOffset;
		await mqtt.publishAsync('telemetry/b1/hall/gone-2', JSON.stringify(body), { qos: 1 });
		expect(await sendReadings(socket, body)).toMatchObject({ ok: false, error: { code: 'forbidden' } });
		await mqtt.publishAsync('status/gone-2', 'online', { qos: 1, retain: true });
		expect(world.log.nextOffset).toBe(end);
		expect(messages).toEqual([]);
		const refused = (await world.rejected()).filter(({ sender }) => sender === 'gone-2');
		expect(refused.map(({ transport, code }) => `${transport} ${code}`)).toEqual([
			'mqtt forbidden',
			'socket.io forbidden',
			'mqtt forbidden',
		]);
		await expect(mqtt.subscribeAsync('command/gone-2', { qos: 1 })).rejects.toThrow();
		// Another device with the same sensor gets its own readings; the revoked one does not.
		const other = await mqttClient(
			world.mqttUrl,
			'still-here',
			await world.token('still-here', { sensorIds: ['gone-2'], buildingId: 'b1' }),
		);
		const messagesOfOther = await messagesOn(other, 'telemetry/+/+/gone-2');
		await other.publishAsync('telemetry/b1/hall/gone-2', JSON.stringify(body), { qos: 1 });
		await waitFor('the other device to get it', () => messagesOfOther.length === 1);
		expect(messages).toEqual([]);
	});

	it('can connect again with a token that was issued later', async () => {
		const { body, revoke } = await connectedDevice('back');
		await world.bus.retain(
			TABLES.revokedDevices,
			'back',
			JSON.stringify({ before: Math.floor(Date.now() / 1000) - 100 }),
		);
		const token = await world.token('back', { sensorIds: ['back'], buildingId: 'b1' });
		expect((await world.call('POST', '/ingest', { token, body })).status).toBe(202);
		await revoke();
		await world.bus.retain(TABLES.revokedDevices, 'back', null);
		await waitFor(
			'the revocation to be withdrawn',
			async () => (await world.call('POST', '/ingest', { token, body })).status === 202,
		);
	});

	it('stays revoked after a restart of the gateway, before the bus has repeated it', async () => {
		const { token, body, revoke } = await connectedDevice('gone-3');
		await revoke();
		const first = await openGatewayWorld();
		await first.bus.retain(TABLES.revokedDevices, 'gone-3', JSON.stringify({ before: Math.floor(Date.now() / 1000) }));
		await waitFor('the revocation', async () => (await first.call('POST', '/ingest', { token, body })).status === 401);
		await first.gateway.stop();
		const second = await openGatewayWorld({ copyOf: first.dataDir });
		onTestFinished(() => second.stop());
		await first.stop();
		expect(await second.call('POST', '/ingest', { token, body })).toMatchObject({
			status: 401,
			body: { error: { message: 'The token was revoked' } },
		});
	});
});

it('an MQTT subscriber gets no readings of another device', async () => {
	const [mine, theirs] = [
		await world.token('mine', { sensorIds: ['mine'] }),
		await world.token('theirs', { sensorIds: ['theirs'] }),
	];
	const spy = await rawSignedIn(world, 'theirs', theirs);
	spy.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'telemetry/+/+/theirs', qos: 1 }] });
	expect(await spy.next('suback')).toMatchObject({ granted: [1] });
	const client = await mqttClient(world.mqttUrl, 'mine', mine);
	await client.publishAsync('telemetry/b1/hall/mine/co2', '400', { qos: 1 });
	const other = await mqttClient(world.mqttUrl, 'theirs', theirs);
	await other.publishAsync('telemetry/b1/hall/theirs', '{"metric":"co2","value":1}', { qos: 0 });
	expect(await spy.next('publish')).toMatchObject({ topic: 'telemetry/b1/hall/theirs' });
	expect(spy.received.filter(({ cmd }) => cmd === 'publish')).toEqual([]);
});
