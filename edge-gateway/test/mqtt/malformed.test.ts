import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import {
	connectOf,
	MALFORMED_CONNECTS,
	MALFORMED_PACKETS,
	packetOf,
	str,
} from '../../src/testing/malformed-packets.ts';
import { type RawMqtt, rawMqtt, rawSignedIn } from '../../src/testing/mqtt-clients.ts';

const TOPIC = 'telemetry/b1/hall/s';

let world: GatewayWorld;
let token: string;
beforeAll(async () => {
	world = await openGatewayWorld();
	token = await world.token('d', { sensorIds: ['s'] });
});
afterAll(() => world.stop());

/** Expects that another client is served as before. */
async function expectServed(neighbour: RawMqtt) {
	neighbour.send({
		cmd: 'publish',
		topic: TOPIC,
		payload: '{"metric":"co2","value":1}',
		qos: 1,
		messageId: 1,
		dup: false,
		retain: false,
	});
	expect(await neighbour.next('puback')).toMatchObject({ messageId: 1 });
	expect(neighbour.isClosed()).toBe(false);
}
const openNeighbour = () => rawSignedIn(world, 'd', token, 'neighbour');
const cutsOf = (statement: string) => world.metric('gateway_mqtt_cut_off_total', { statement });

describe('an MQTT connection ends, and no other client is harmed', () => {
	it.each(MALFORMED_CONNECTS)('for $what [$statement]', async ({ statement, bytes, answer }) => {
		const neighbour = await openNeighbour();
		const before = await cutsOf(statement);
		const client = await rawMqtt(world);
		client.sendBytes(bytes);
		await client.closed;
		expect(client.bytes()).toEqual(answer ?? Buffer.alloc(0));
		expect(await cutsOf(statement)).toBe(before + 1);
		await expectServed(neighbour);
	});

	it.each(MALFORMED_PACKETS)('for $what [$statement]', async ({ statement, bytes }) => {
		const neighbour = await openNeighbour();
		const before = await cutsOf(statement);
		const offset = world.log.nextOffset;
		const client = await rawSignedIn(world, 'd', token);
		client.sendBytes(bytes);
		await client.closed;
		expect(world.log.nextOffset).toBe(offset);
		expect(await cutsOf(statement)).toBe(before + 1);
		await expectServed(neighbour);
	});
});

describe('an MQTT acknowledgement', () => {
	it('is accepted for a message that was sent, also twice, but not a PUBREC for QoS 1 (MQTT-2.3.1-6)', async () => {
		const client = await rawSignedIn(world, 'd', token, 'acknowledges');
		client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'status/s', qos: 1 }] });
		await client.next('suback');
		const neighbour = await openNeighbour();
		neighbour.send({
			cmd: 'publish',
			topic: 'status/s',
			payload: 'online',
			qos: 1,
			messageId: 1,
			dup: false,
			retain: false,
		});
		await neighbour.next('puback');
		const { messageId } = await client.next('publish');
		for (let i = 0; i < 2; i++) client.send({ cmd: 'puback', messageId });
		client.send({ cmd: 'pingreq' });
		await client.next('pingresp');
		client.send({ cmd: 'pubrec', messageId });
		await client.closed;
	});

	it('answers a PUBREL of an unknown message, because its PUBCOMP may have been lost', async () => {
		const client = await rawSignedIn(world, 'd', token);
		client.send({ cmd: 'pubrel', messageId: 99 });
		expect(await client.next('pubcomp')).toMatchObject({ messageId: 99 });
	});
});

describe('a client of MQTT 5', () => {
	it('gets a CONNACK in the format of MQTT 5 that names the supported version (0x84 and a reason)', async () => {
		const client = await rawMqtt(world);
		client.sendBytes(packetOf(0x10, str('MQTT'), [5, 0xc2, 0, 60, 0], str('c'), str('d'), str(token)));
		await client.closed;
		const bytes = client.bytes();
		expect([...bytes.subarray(0, 4)]).toEqual([0x20, bytes.length - 2, 0, 0x84]);
		expect(bytes[5]).toBe(0x1f);
		expect(bytes.subarray(8).toString()).toMatch(/3\.1\.1/);
	});
});

describe('PUBACKs', () => {
	it('are sent in the order of the messages, whatever each had to wait for (MQTT-4.6.0-2)', async () => {
		const client = await rawSignedIn(world, 'd', token);
		const publish = (topic: string, payload: string, messageId: number) =>
			packetOf(0x32, str(topic), [messageId >> 8, messageId & 255], Buffer.from(payload));
		const sent: Buffer[] = [];
		for (let i = 1; i <= 60; i++) {
			const [topic, payload] = [
				[TOPIC, '{"metric":"co2","value":1}'],
				['status/s', 'online'],
				[TOPIC, 'no JSON'],
				['nonsense', 'x'],
			][i % 4] as [string, string];
			sent.push(publish(topic, payload, i));
		}
		client.sendBytes(Buffer.concat(sent));
		await waitFor('all of them', () => client.received.length === 60);
		expect(client.received.map((packet) => (packet as { messageId: number }).messageId)).toEqual(
			Array.from({ length: 60 }, (_, i) => i + 1),
		);
	});
});

it('a Mosquitto bridge, which sets the highest bit of the protocol level, may connect', async () => {
	const client = await rawMqtt(world);
	client.sendBytes(connectOf({ level: 0x84, rest: [str('d'), str(token)] }));
	expect(await client.next('connack')).toMatchObject({ returnCode: 0 });
});
