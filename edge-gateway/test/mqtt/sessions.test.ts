import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { packetOf, str } from '../../src/testing/malformed-packets.ts';
import { heardOn, mqttClient, type RawMqtt, rawMqtt } from '../../src/testing/mqtt-clients.ts';

async function gateway(copyOf?: GatewayWorld): Promise<GatewayWorld> {
	const world = await openGatewayWorld(copyOf ? { copyOf: copyOf.dataDir } : {});
	onTestFinished(() => world.stop());
	return world;
}

/** A client with a session that is kept. */
async function returning(
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

describe('a kill -9, as a copy of the folder at that moment', () => {
	it('costs no retained message, no subscription, and no message that waits for a session', async () => {
		const before = await gateway();
		const token = await before.token('d', { sensorIds: ['s'] });
		const away = await returning(before, token, 'away');
		away.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'status/s', qos: 1 }] });
		await away.next('suback');
		away.end();
		await waitFor('its end', async () => (await before.metric('gateway_mqtt_connections')) === 0);
		const publisher = await returning(before, token, 'publisher');
		for (const [i, state] of ['online', 'offline', 'online'].entries()) {
			publisher.send(status(state, i + 1));
			await publisher.next('puback');
		}
		const after = await gateway(before);
		const back = await returning(after, token, 'away');
		expect(back.sessionPresent).toBe(true);
		const got = [await back.next('publish'), await back.next('publish'), await back.next('publish')];
		expect(got.map(({ payload }) => payload.toString())).toEqual(['online', 'offline', 'online']);
		const heard = await heardOn(await mqttClient(after.mqttUrl, 'd', token), 'status/s');
		await waitFor('the retained status', () => heard.length === 1);
		expect(heard[0]).toMatchObject({ payload: 'online', retain: true });
		for (const { messageId } of got) back.send({ cmd: 'puback', messageId });
		await waitFor('nothing that waits', async () => (await after.metric('gateway_mqtt_waiting')) === 0);
		const last = await returning(await gateway(after), token, 'away');
		last.send({ cmd: 'pingreq' });
		await last.next('pingresp');
		expect(last.received).toEqual([]);
	});

	it('does not make a message of QoS 2 that was not released come a second time', async () => {
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
		const client = await returning(before, token, 'exact');
		client.send({ ...publish, dup: false });
		await client.next('pubrec');
		const after = await gateway(before);
		const back = await returning(after, token, 'exact');
		back.send({ ...publish, dup: true });
		await back.next('pubrec');
		expect(await after.stored()).toHaveLength(1);
		back.send({ cmd: 'pubrel', messageId: 7 });
		await back.next('pubcomp');
		back.send({ ...publish, dup: false });
		await back.next('pubrec');
		expect(await after.stored()).toHaveLength(2);
	});

	it('leaves a message of QoS 2 to a subscriber with the identifier it was sent with', async () => {
		const before = await gateway();
		const token = await before.token('d', { sensorIds: ['s'] });
		const listener = await returning(before, token, 'listener');
		listener.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'status/s', qos: 2 }] });
		await listener.next('suback');
		const publisher = await returning(before, token, 'publisher');
		publisher.send({ ...status('online', 1), qos: 2 });
		await publisher.next('pubrec');
		const { messageId } = await listener.next('publish');
		const after = await gateway(before);
		const back = await returning(after, token, 'listener');
		expect(await back.next('publish')).toMatchObject({ messageId, qos: 2 });
		back.send({ cmd: 'pubrec', messageId: messageId! });
		await back.next('pubrel');
		const again = await returning(await gateway(after), token, 'listener');
		expect(await again.next('pubrel')).toMatchObject({ messageId });
		again.send({ cmd: 'pubcomp', messageId: messageId! });
		again.send({ cmd: 'pingreq' });
		await again.next('pingresp');
	});
});

it('a session that its client begins anew is forgotten, with all that waited (MQTT-3.1.2-6)', async () => {
	const world = await gateway();
	const token = await world.token('d', { sensorIds: ['s'] });
	const first = await returning(world, token, 'anew');
	first.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'status/s', qos: 1 }] });
	await first.next('suback');
	first.end();
	const publisher = await mqttClient(world.mqttUrl, 'd', token, { clientId: 'publisher' });
	await publisher.publishAsync('status/s', 'online', { qos: 1 });
	const clean = await rawMqtt(world);
	clean.sendBytes(packetOf(0x10, str('MQTT'), [4, 0xc2, 0, 60], str('anew'), str('d'), str(token)));
	expect(await clean.next('connack')).toMatchObject({ sessionPresent: false });
	clean.send({ cmd: 'pingreq' });
	await clean.next('pingresp');
	expect(clean.received).toEqual([]);
	expect(await world.metric('gateway_mqtt_waiting')).toBe(0);
});
