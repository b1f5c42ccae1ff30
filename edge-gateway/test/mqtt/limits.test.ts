import { once } from 'node:events';
import { connect } from 'node:net';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import type { MqttLimits } from '../../src/sources/mqtt/connection/limits.ts';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { connectOf, packetOf, str } from '../../src/testing/malformed-packets.ts';
import { messagesOn, mqttClient, rawMqtt, rawSignedIn } from '../../src/testing/mqtt-clients.ts';

const KIB = 1024;
const TOPIC = 'telemetry/b1/hall/s';
/** A reading padded to 60 KiB. */
const large = (value: number) => `{"metric":"co2","value":${value}}`.padEnd(60 * KIB);

async function gateway(
	mqttLimits: Partial<MqttLimits>,
	settings: object = {},
): Promise<{ world: GatewayWorld; token: string }> {
	const world = await openGatewayWorld({ settings: { mqttLimits, ...settings } });
	onTestFinished(() => world.stop());
	return { world, token: await world.token('d', { sensorIds: ['s'] }) };
}

describe('an MQTT connection ends', () => {
	it('when it does not send a CONNECT in time', async () => {
		const { world } = await gateway({ connectTimeoutMs: 200 });
		await (await rawMqtt(world)).closed;
	});

	it('when it does not complete a packet in time, before signing in and after', async () => {
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

	it('after 1.5 times its keep alive of silence, and its last will is published (MQTT-3.1.2-24)', async () => {
		const { world, token } = await gateway({});
		const watcher = await mqttClient(world.mqttUrl, 'd', token);
		const statuses = await messagesOn(watcher, 'status/s');
		const client = await rawMqtt(world);
		const fields = [str('half open'), str('status/s'), str('offline'), str('d'), str(token)];
		client.sendBytes(packetOf(0x10, str('MQTT'), [4, 0xc6, 0, 1], ...fields));
		await client.next('connack');
		await client.closed;
		await waitFor('the will', () => statuses.length > 0);
		expect(statuses[0]).toMatchObject({ payload: 'offline' });
	});

	it('when its address has too many, over TCP and WebSocket, until another one closes', async () => {
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

	it('when it sends text frames over WebSocket (MQTT-6.0.0-1)', async () => {
		const { world } = await gateway({});
		const webSocket = new WebSocket(world.wsUrl, ['mqtt']);
		webSocket.on('error', () => undefined);
		await once(webSocket, 'open');
		webSocket.send('text');
		await once(webSocket, 'close');
		expect(await world.metric('gateway_mqtt_cut_off_total', { statement: 'MQTT-6.0.0-1' })).toBe(1);
	});

	it('for a malformed packet over WebSocket as over TCP', async () => {
		const { world } = await gateway({});
		const webSocket = new WebSocket(world.wsUrl, ['mqtt']);
		webSocket.on('error', () => undefined);
		await once(webSocket, 'open');
		webSocket.send(connectOf({ clientId: 'a\0' }));
		await once(webSocket, 'close');
		expect(await world.metric('gateway_mqtt_cut_off_total', { statement: 'MQTT-1.5.3-2' })).toBe(1);
	});
});

describe('an MQTT subscriber that never reads', () => {
	const FILTER = 'telemetry/+/+/s';
	const openDeafClient = async (world: GatewayWorld, token: string, clientId: string, qos: 0 | 1) => {
		const deaf = await rawSignedIn(world, 'd', token, clientId);
		deaf.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: FILTER, qos }] });
		await deaf.next('suback');
		deaf.pause();
	};
	/** Publishes until the metric counts something; expects that another subscriber gets all messages, in order. */
	const publishUntil = async (world: GatewayWorld, token: string, metric: string) => {
		const subscriber = await mqttClient(world.mqttUrl, 'd', token, { clientId: 'subscriber' });
		const messages = await messagesOn(subscriber, FILTER);
		const publisher = await mqttClient(world.mqttUrl, 'd', token, { clientId: 'publisher' });
		let published = 0;
		await waitFor(
			'the limit to be reached',
			async () => {
				for (let i = 0; i < 20; i++) await publisher.publishAsync(TOPIC, large(published++), { qos: 1 });
				return (await world.metric(metric)) > 0;
			},
			40_000,
		);
		await waitFor('every message', () => messages.length === published);
		expect(messages.map(({ payload }) => JSON.parse(payload).value)).toEqual(
			Array.from({ length: published }, (_, i) => i),
		);
		expect(subscriber.connected).toBe(true);
	};

	it.each([
		['misses messages of QoS 0', 0, 'gateway_mqtt_withheld_total'],
		['with QoS 1 is disconnected at the limit', 1, 'gateway_mqtt_cut_off_total'],
	] as const)('%s, and delays neither the publisher nor another subscriber', async (_what, qos, metric) => {
		const { world, token } = await gateway({ dropQos0Above: 128 * KIB, maxUnread: 512 * KIB });
		await openDeafClient(world, token, 'deaf', qos);
		await publishUntil(world, token, metric);
	});

	it('counts to a limit for all of them, at which those furthest behind are disconnected', async () => {
		const { world, token } = await gateway({ maxTotalUnread: 512 * KIB });
		for (let n = 0; n < 4; n++) await openDeafClient(world, token, `deaf-${n}`, 0);
		await publishUntil(world, token, 'gateway_mqtt_cut_off_total');
	});
});

describe('a device that sends faster than its limit', () => {
	it('over MQTT has to wait, keeps its order and loses nothing, while another device is served', async () => {
		const { world, token } = await gateway({}, { messagesPerSecond: 50 });
		const other = await world.token('other', { sensorIds: ['o'] });
		const client = await rawSignedIn(world, 'd', token);
		const neighbour = await rawSignedIn(world, 'other', other);
		const readings = Array.from({ length: 150 }, (_, i) =>
			packetOf(0x32, str(TOPIC), [0, i + 1], Buffer.from(JSON.stringify({ metric: 'co2', value: i }))),
		);
		client.sendBytes(Buffer.concat(readings));
		await waitFor(
			'the first message to wait',
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
		const values = (await world.stored()).filter(({ sensorId }) => sensorId === 's').map(({ value }) => value);
		expect(values).toEqual(Array.from({ length: 150 }, (_, i) => i));
	});

	it('over HTTP is refused with the time to wait, also by network address', async () => {
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

describe('an MQTT device', () => {
	it('with too many sessions cannot begin another, and can resume those it has', async () => {
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
		'with too many subscriptions is granted no more, over all its connections (clean session %s)',
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
