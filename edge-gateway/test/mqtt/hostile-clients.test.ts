import { once } from 'node:events';
import { connect } from 'node:net';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { mqttClient, rawMqtt, rawSignedIn } from '../../src/testing/mqtt-clients.ts';

const MIB = 1024 * 1024;
const TOPIC = 'telemetry/b1/hall/s';
const CO2 = (value: number) => JSON.stringify({ metric: 'co2', value });

let world: GatewayWorld;
let token: string;
beforeAll(async () => {
	world = await openGatewayWorld();
	token = await world.token('d', { sensorIds: ['s'] });
});
afterAll(() => world.stop());

/** A PUBLISH of QoS 0 whose header announces `payloadBytes`, with the first `sent` bytes of the payload. */
function publishOf(payloadBytes: number, sent = payloadBytes): Buffer {
	const topic = Buffer.from(TOPIC);
	let length = 2 + topic.length + payloadBytes;
	const header = [0x30];
	do {
		header.push((length % 128) + (length > 127 ? 128 : 0));
		length = Math.floor(length / 128);
	} while (length > 0);
	return Buffer.concat([Buffer.from(header), Buffer.from([0, topic.length]), topic, Buffer.alloc(sent, ' ')]);
}

describe('a full log', () => {
	it('holds the PUBACK of an MQTT client back until there is room, and keeps the connection', async () => {
		const full = await openGatewayWorld({ settings: { log: { maxBytes: 512 * 1024 } } });
		onTestFinished(() => full.stop());
		const cursor = await full.fillLog();
		const client = await rawSignedIn(full, 'd', token);
		client.send({ cmd: 'publish', topic: TOPIC, payload: CO2(1), qos: 1, messageId: 1, dup: false, retain: false });
		client.send({ cmd: 'publish', topic: TOPIC, payload: CO2(2), qos: 2, messageId: 2, dup: false, retain: false });
		await waitFor(
			'several tries',
			async () => (await full.metric('gateway_readings_deferred_total', { transport: 'mqtt' })) >= 6,
		);
		expect(client.received).toEqual([]);
		expect(client.isClosed()).toBe(false);
		cursor.commit(full.log.endOffset);
		expect(await client.next('puback')).toMatchObject({ messageId: 1 });
		expect(await client.next('pubrec')).toMatchObject({ messageId: 2 });
		expect((await full.stored()).map(({ value }) => value).sort()).toEqual([1, 2]);
		expect(await full.metric('gateway_ledger_imbalance', { ledger: 'source' })).toBe(0);
	});

	it('does not delay the answers to pings of an MQTT client that waits', async () => {
		const full = await openGatewayWorld({ settings: { log: { maxBytes: 512 * 1024 } } });
		onTestFinished(() => full.stop());
		const cursor = await full.fillLog();
		const client = await rawSignedIn(full, 'd', token);
		client.send({ cmd: 'publish', topic: TOPIC, payload: CO2(1), qos: 1, messageId: 1, dup: false, retain: false });
		for (let i = 0; i < 8; i++) {
			client.send({ cmd: 'pingreq' });
			await client.next('pingresp');
		}
		expect(client.received).toEqual([]);
		cursor.commit(full.log.endOffset);
		await client.next('puback');
	});
});

describe('the connection of a hostile MQTT client', () => {
	it('ends when it announces a message that is too large, before the message is held in memory', async () => {
		const client = await rawSignedIn(world, 'd', token);
		client.sendBytes(publishOf(200 * MIB, 10));
		await client.closed;
		const within = await rawSignedIn(world, 'd', token);
		within.sendBytes(publishOf(MIB - 100));
		within.send({ cmd: 'pingreq' });
		await within.next('pingresp');
	});

	it('ends when it sends a message before it signs in', async () => {
		const client = await rawMqtt(world);
		client.sendBytes(publishOf(64 * 1024, 10));
		await client.closed;
	});

	it.each<[string, Buffer]>([
		['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
		['zeros', Buffer.alloc(100)],
		['a length that never ends', Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0xff])],
		['a PUBLISH before CONNECT', publishOf(10)],
	])('ends when it sends %s', async (_what, bytes) => {
		const client = await rawMqtt(world);
		client.sendBytes(bytes);
		await client.closed;
	});

	it.each(['telemetry/#/s', 'telemetry/+/hall/s', 'a/'.repeat(2000), '$SYS/x', 'telemetry/b1/ha\u0000ll/s'])(
		'stores nothing when it publishes to %o, and other clients go on',
		async (topic) => {
			const client = await rawSignedIn(world, 'd', token);
			const before = world.log.nextOffset;
			client.sendBytes(publishBytes(topic));
			await waitFor('an answer or the end', () => client.isClosed() || client.received.length > 0);
			expect(world.log.nextOffset).toBe(before);
			const other = await mqttClient(world.mqttUrl, 'd', token);
			await other.publishAsync(TOPIC, CO2(5), { qos: 1 });
		},
	);

	it('does no harm when it asks for an upgrade of a strange path', async () => {
		for (const path of ['//', '/mqtt?x=1', '/mqttx', '/%', '*', 'http://[', '/socket.io/']) {
			const socket = connect(Number(new URL(world.url).port), '127.0.0.1');
			socket.on('error', () => undefined);
			await once(socket, 'connect');
			socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
			expect(await world.call('GET', '/healthz')).toMatchObject({ status: 200 });
			socket.resetAndDestroy();
		}
		expect(await world.call('GET', '/healthz')).toMatchObject({ status: 200 });
	});

	it('ends when it asks for an upgrade of a path that is not served', async () => {
		const socket = connect(Number(new URL(world.url).port), '127.0.0.1');
		socket.on('error', () => undefined);
		socket.write('GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
		socket.resume();
		await once(socket, 'close');
	});

	it('over WebSocket is refused without the subprotocol mqtt, and ends for a frame that is too large', async () => {
		const plain = new WebSocket(world.wsUrl, ['something']);
		await once(plain, 'error');
		const large = new WebSocket(world.wsUrl, ['mqtt']);
		await once(large, 'open');
		large.on('error', () => undefined);
		large.send(Buffer.alloc(2 * MIB));
		await once(large, 'close');
		expect((await world.call('GET', '/healthz')).status).toBe(200);
	});
});

function publishBytes(topic: string): Buffer {
	const name = Buffer.from(topic);
	const payload = Buffer.from(CO2(1));
	const length = 2 + name.length + 2 + payload.length;
	const lengthBytes = length < 128 ? [length] : [(length % 128) + 128, Math.floor(length / 128)];
	return Buffer.concat([
		Buffer.from([0x32, ...lengthBytes]),
		Buffer.from([name.length >> 8, name.length & 255]),
		name,
		Buffer.from([0, 1]),
		payload,
	]);
}
