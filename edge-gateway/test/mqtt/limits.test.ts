import { once } from 'node:events';
import { connect } from 'node:net';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import type { MqttLimits } from '../../src/sources/mqtt/connection/limits.ts';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { connectOf, packetOf, str } from '../../src/testing/malformed-packets.ts';
import { heardOn, mqttClient, rawMqtt, rawSignedIn } from '../../src/testing/mqtt-clients.ts';

const KIB = 1024;
const TOPIC = 'telemetry/b1/hall/s';
/** A reading with much space around it. */
const large = (value: number) => `{"metric":"co2","value":${value}}`.padEnd(60 * KIB);

async function gateway(
	mqttLimits: Partial<MqttLimits>,
	settings: object = {},
): Promise<{ world: GatewayWorld; token: string }> {
	const world = await openGatewayWorld({ settings: { mqttLimits, ...settings } });
	onTestFinished(() => world.stop());
	return { world, token: await world.token('d', { sensorIds: ['s'] }) };
}

describe('a connection that', () => {
	it('says nothing is ended', async () => {
		const { world } = await gateway({ connectTimeoutMs: 200 });
		await (await rawMqtt(world)).closed;
	});

	it('begins a packet and does not end it is ended, before signing in and after', async () => {
		const { world, token } = await gateway({ packetTimeoutMs: 100 });
		const [unknown, known, neighbour] = [
			await rawMqtt(world),
			await rawSignedIn(world, 'd', token),
			await rawSignedIn(world, 'd', token, 'neighbour'),
		];
		unknown.sendBytes(connectOf().subarray(0, 10));
		known.sendBytes(packetOf(0x32, str(TOPIC), [0, 1]).subarray(0, 12));
		await Promise.all([unknown.closed, known.closed]);
		neighbour.send({ cmd: 'pingreq' });
		await neighbour.next('pingresp');
	});

	it('is silent for one and a half times its keep alive is ended, and its last will told (MQTT-3.1.2-24)', async () => {
		const { world, token } = await gateway({});
		const watcher = await mqttClient(world.mqttUrl, 'd', token);
		const heard = await heardOn(watcher, 'status/s');
		const client = await rawMqtt(world);
		const fields = [str('half open'), str('status/s'), str('offline'), str('d'), str(token)];
		client.sendBytes(packetOf(0x10, str('MQTT'), [4, 0xc6, 0, 1], ...fields));
		await client.next('connack');
		await client.closed;
		await waitFor('the will', () => heard.length > 0);
		expect(heard[0]).toMatchObject({ payload: 'offline' });
	});

	it('is one too many from its address is ended, over TCP and WebSocket; another that goes makes room', async () => {
		const { world, token } = await gateway({ connectionsPerAddress: 2 });
		const first = await rawSignedIn(world, 'd', token, 'one');
		await rawSignedIn(world, 'd', token, 'two');
		const third = connect(world.gateway.mqttPort(), '127.0.0.1');
		third.on('error', () => undefined);
		third.resume();
		await once(third, 'close');
		const webSocket = new WebSocket(world.wsUrl, ['mqtt']);
		await once(webSocket, 'error');
		first.end();
		await waitFor('room', async () => (await world.metric('gateway_mqtt_connections')) === 1);
		await rawSignedIn(world, 'd', token, 'three');
	});

	it('sends text frames over WebSocket is ended (MQTT-6.0.0-1)', async () => {
		const { world } = await gateway({});
		const webSocket = new WebSocket(world.wsUrl, ['mqtt']);
		webSocket.on('error', () => undefined);
		await once(webSocket, 'open');
		webSocket.send('text');
		await once(webSocket, 'close');
		expect(await world.metric('gateway_mqtt_cut_off_total', { statement: 'MQTT-6.0.0-1' })).toBe(1);
	});

	it('is malformed over WebSocket is ended as over TCP', async () => {
		const { world } = await gateway({});
		const webSocket = new WebSocket(world.wsUrl, ['mqtt']);
		webSocket.on('error', () => undefined);
		await once(webSocket, 'open');
		webSocket.send(connectOf({ clientId: 'a\0' }));
		await once(webSocket, 'close');
		expect(await world.metric('gateway_mqtt_cut_off_total', { statement: 'MQTT-1.5.3-2' })).toBe(1);
	});
});

describe('a subscriber that never reads', () => {
	const FILTER = 'telemetry/+/+/s';
	const deafOne = async (world: GatewayWorld, token: string, clientId: string, qos: 0 | 1) => {
		const deaf = await rawSignedIn(world, 'd', token, clientId);
		deaf.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: FILTER, qos }] });
		await deaf.next('suback');
		deaf.pause();
	};
	/** Publishes until the metric counts something; expects that another subscriber has all of it, in order. */
	const publishUntil = async (world: GatewayWorld, token: string, metric: string) => {
		const hears = await mqttClient(world.mqttUrl, 'd', token, { clientId: 'hears' });
		const heard = await heardOn(hears, FILTER);
		const publisher = await mqttClient(world.mqttUrl, 'd', token, { clientId: 'speaks' });
		let published = 0;
		await waitFor(
			'the bound',
			async () => {
				for (let i = 0; i < 20; i++) await publisher.publishAsync(TOPIC, large(published++), { qos: 1 });
				return (await world.metric(metric)) > 0;
			},
			40_000,
		);
		await waitFor('everything', () => heard.length === published);
		expect(heard.map(({ payload }) => JSON.parse(payload).value)).toEqual(
			Array.from({ length: published }, (_, i) => i),
		);
		expect(hears.connected).toBe(true);
	};

	it.each([
		['of QoS 0 goes without what it does not read', 0, 'gateway_mqtt_withheld_total'],
		['of QoS 1 is ended at the bound', 1, 'gateway_mqtt_cut_off_total'],
	] as const)('%s, and holds up neither the publisher nor another subscriber', async (_what, qos, metric) => {
		const { world, token } = await gateway({ dropQos0Above: 128 * KIB, maxUnread: 512 * KIB });
		await deafOne(world, token, 'deaf', qos);
		await publishUntil(world, token, metric);
	});

	it('is held to a bound with all others of its kind: those that are furthest behind are ended, and who reads is not', async () => {
		const { world, token } = await gateway({ maxTotalUnread: 512 * KIB });
		for (let n = 0; n < 4; n++) await deafOne(world, token, `deaf-${n}`, 0);
		await publishUntil(world, token, 'gateway_mqtt_cut_off_total');
	});
});

describe('a device that sends faster than it may', () => {
	it('over MQTT is made to wait, in order, and loses nothing; another is served', async () => {
		const { world, token } = await gateway({}, { messagesPerSecond: 50 });
		const other = await world.token('other', { sensorIds: ['o'] });
		const client = await rawSignedIn(world, 'd', token);
		const neighbour = await rawSignedIn(world, 'other', other);
		const readings = Array.from({ length: 150 }, (_, i) =>
			packetOf(0x32, str(TOPIC), [0, i + 1], Buffer.from(JSON.stringify({ metric: 'co2', value: i }))),
		);
		client.sendBytes(Buffer.concat(readings));
		await waitFor(
			'the first to be made to wait',
			async () => (await world.metric('gateway_rate_limited_total', { transport: 'mqtt' })) > 0,
		);
		neighbour.send({
			cmd: 'publish',
			topic: 'telemetry/b1/hall/o',
			payload: '{"metric":"co2","value":1}',
			qos: 1,
			messageId: 1,
			dup: false,
			retain: false,
		});
		await neighbour.next('puback');
		await waitFor('every acknowledgement', () => client.received.length === 150);
		const mine = (await world.stored()).filter(({ sensorId }) => sensorId === 's').map(({ value }) => value);
		expect(mine).toEqual(Array.from({ length: 150 }, (_, i) => i));
	});

	it('over HTTP and Socket.IO is refused and told when to come again, also by address', async () => {
		const { world, token } = await gateway({}, { messagesPerSecondPerAddress: 1 });
		const send = (as: string) =>
			world.call('POST', '/ingest', {
				token: as,
				body: { sensorId: 's', metric: 'co2', value: 1, buildingId: 'b1', roomId: 'hall' },
			});
		const others = await Promise.all([1, 2, 3].map((n) => world.token(`d${n}`, { sensorIds: ['s'] })));
		const answers = await Promise.all([token, ...others].map(send));
		const refused = answers.filter(({ status }) => status === 429);
		expect(refused.length).toBeGreaterThan(0);
		expect(Number(refused[0]!.headers.get('retry-after'))).toBeGreaterThan(0);
		expect(await world.metric('gateway_rate_limited_total', { transport: 'http' })).toBe(refused.length);
	});
});

describe('a device that', () => {
	it('has too many sessions begins no more of them, and goes on with those it has', async () => {
		const { world, token } = await gateway({}, { sessions: { sessionsPerDevice: 2 } });
		const connect = (clientId: string, username = 'd', password = token) =>
			mqttClient(world.mqttUrl, username, password, { clientId, clean: false });
		for (const clientId of ['one', 'two']) await (await connect(clientId)).endAsync();
		await expect(connect('three')).rejects.toMatchObject({ code: 3 });
		expect(await world.metric('gateway_mqtt_sessions')).toBe(2);
		expect(await world.metric('gateway_mqtt_over_bound_total')).toBe(1);
		await connect('two');
		await mqttClient(world.mqttUrl, 'd', token, { clientId: 'three', clean: true });
		await connect('three', 'other', await world.token('other', { sensorIds: ['t'] }));
	});

	it.each([true, false])(
		'has too many subscriptions is granted no more, over all its connections and in one packet (clean session %s)',
		async (clean) => {
			const { world, token } = await gateway({ filtersPerDevice: 3 });
			const filter = (number: number) => `telemetry/any/${number}/s`;
			const [first, second] = [
				await mqttClient(world.mqttUrl, 'd', token, { clientId: 'first', clean }),
				await mqttClient(world.mqttUrl, 'd', token, { clientId: 'second', clean }),
			];
			await first.subscribeAsync([1, 2].map(filter));
			await expect(second.subscribeAsync([3, 4, 5].map(filter))).rejects.toThrow();
			expect(await world.metric('gateway_mqtt_over_bound_total')).toBe(2);
			await first.subscribeAsync(filter(1));
			await first.unsubscribeAsync(filter(1));
			await second.subscribeAsync(filter(4));
			expect(await world.metric('gateway_mqtt_over_bound_total')).toBe(2);
			await second.endAsync();
			await waitFor('its connection to be gone', async () => (await world.metric('gateway_mqtt_connections')) === 1);
			await first.subscribeAsync([6, 7].map(filter));
			expect(await world.metric('gateway_mqtt_over_bound_total')).toBe(2);
		},
	);
});
