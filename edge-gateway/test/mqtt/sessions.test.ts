import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { packetOf, str } from '../../src/testing/malformed-packets.ts';
import { messagesOn, mqttClient, type RawMqtt, rawMqtt } from '../../src/testing/mqtt-clients.ts';

async function gateway(copyOf?: GatewayWorld): Promise<GatewayWorld> {
	const world = await openGatewayWorld(copyOf ? { copyOf: copyOf.dataDir } : {});
	onTestFinished(() => world.stop());
	return world;
}

/** Connects with clean session 0. */
async function connectWithSession(
	world: GatewayWorld,
	token: string,
	clientId: string,
): Promise<RawMqtt & { sessionPresent: boolean }> {
	const client = await rawMqtt(world);
	client.sendBytes(packetOf(0x10, str('MQTT'), [4, 0xc0, 0, 60], str(clientId), str('d'), str(token)));
	const { sessionPresent } = await client.next('connack');
	return { ...client, sessionPresent };
}

const status = (payload: string, messageId: number) =>
	({ cmd: 'publish', topic: 'status/s', payload, qos: 1, messageId, retain: true, dup: false }) as const;

describe('a kill -9 of the broker (a copy of its folder at that moment)', () => {
	it('loses no retained message, no subscription, and no message that waits for a session', async () => {
		const before = await gateway();
		const token = await before.token('d', { sensorIds: ['s'] });
		const away = await connectWithSession(before, token, 'away');
		away.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'status/s', qos: 1 }] });
		await away.next('suback');
		away.end();
		await waitFor('its disconnection', async () => (await before.metric('gateway_mqtt_connections')) === 0);
		const publisher = await connectWithSession(before, token, 'publisher');
		for (const [i, state] of ['online', 'offline', 'online'].entries()) {
			publisher.send(status(state, i + 1));
			await publisher.next('puback');
		}
		const after = await gateway(before);
		const back = await connectWithSession(after, token, 'away');
		expect(back.sessionPresent).toBe(true);
		const got = [await back.next('publish'), await back.next('publish'), await back.next('publish')];
		expect(got.map(({ payload }) => payload.toString())).toEqual(['online', 'offline', 'online']);
		const messages = await messagesOn(await mqttClient(after.mqttUrl, 'd', token), 'status/s');
		await waitFor('the retained status', () => messages.length === 1);
		expect(messages[0]).toMatchObject({ payload: 'online', retain: true });
		for (const { messageId } of got) back.send({ cmd: 'puback', messageId });
		await waitFor('no message to be waiting', async () => (await after.metric('gateway_mqtt_waiting')) === 0);
		const last = await connectWithSession(await gateway(after), token, 'away');
		last.send({ cmd: 'pingreq' });
		await last.next('pingresp');
		expect(last.received).toEqual([]);
	});

	it('does not store a message of QoS 2 a second time that was not released before', async () => {
		const before = await gateway();
		const token = await before.token('d', { sensorIds: ['s'] });
		const publish = {
			cmd: 'publish',
			topic: 'telemetry/b1/hall/s',
			payload: '{"metric":"co2","value":1}',
			qos: 2,
			messageId: 7,
			retain: false,
		} as const;
		const client = await connectWithSession(before, token, 'exact');
		client.send({ ...publish, dup: false });
		await client.next('pubrec');
		const after = await gateway(before);
		const back = await connectWithSession(after, token, 'exact');
		back.send({ ...publish, dup: true });
		await back.next('pubrec');
		expect(await after.stored()).toHaveLength(1);
		back.send({ cmd: 'pubrel', messageId: 7 });
		await back.next('pubcomp');
		back.send({ ...publish, dup: false });
		await back.next('pubrec');
		expect(await after.stored()).toHaveLength(2);
	});

	it('preserves the packet identifier of a message of QoS 2 to a subscriber', async () => {
		const before = await gateway();
		const token = await before.token('d', { sensorIds: ['s'] });
		const listener = await connectWithSession(before, token, 'listener');
		listener.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'status/s', qos: 2 }] });
		await listener.next('suback');
		const publisher = await connectWithSession(before, token, 'publisher');
		publisher.send({ ...status('online', 1), qos: 2 });
		await publisher.next('pubrec');
		const { messageId } = await listener.next('publish');
		const after = await gateway(before);
		const back = await connectWithSession(after, token, 'listener');
		expect(await back.next('publish')).toMatchObject({ messageId, qos: 2 });
		back.send({ cmd: 'pubrec', messageId: messageId! });
		await back.next('pubrel');
		const again = await connectWithSession(await gateway(after), token, 'listener');
		expect(await again.next('pubrel')).toMatchObject({ messageId });
		again.send({ cmd: 'pubcomp', messageId: messageId! });
		again.send({ cmd: 'pingreq' });
		await again.next('pingresp');
	});
});

it('a clean MQTT session discards the previous session, with all that waited in it (MQTT-3.1.2-6)', async () => {
	const world = await gateway();
	const token = await world.token('d', { sensorIds: ['s'] });
	const first = await connectWithSession(world, token, 'same');
	first.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'status/s', qos: 1 }] });
	await first.next('suback');
	first.end();
	const publisher = await mqttClient(world.mqttUrl, 'd', token, { clientId: 'publisher' });
	await publisher.publishAsync('status/s', 'online', { qos: 1 });
	const clean = await rawMqtt(world);
	clean.sendBytes(packetOf(0x10, str('MQTT'), [4, 0xc2, 0, 60], str('same'), str('d'), str(token)));
	expect(await clean.next('connack')).toMatchObject({ sessionPresent: false });
	clean.send({ cmd: 'pingreq' });
	await clean.next('pingresp');
	expect(clean.received).toEqual([]);
	expect(await world.metric('gateway_mqtt_waiting')).toBe(0);
});
