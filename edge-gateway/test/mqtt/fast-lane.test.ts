import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TABLES } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { breakableDisk, type GatewayWorld, openGatewayWorld, refusedAs } from '../../src/testing/gateway-world.ts';
import { messagesOn, mqttClient, rawSignedIn } from '../../src/testing/mqtt-clients.ts';
import { SetClock } from '../../src/testing/set-clock.ts';
import { watchedGateway } from '../../src/testing/watched-gateway.ts';

let world: GatewayWorld;
beforeAll(async () => {
	world = await openGatewayWorld();
});
afterAll(async () => {
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	await world.stop();
});

let lastId = 0;
async function newDevice() {
	const id = `l-${++lastId}`;
	const sensorId = `f-${lastId}`;
	const token = await world.token(id, { sensorIds: [sensorId] });
	return { id, sensorId, token, topic: `telemetry/b1/hall/${sensorId}` };
}
const storedOf = async (sensorId: string) => (await world.stored()).filter((one) => one.sensorId === sensorId);
const shaped = () => world.metric('gateway_mqtt_fast_lane_total', { way: 'shape' });
const whole = () => world.metric('gateway_mqtt_fast_lane_total', { way: 'whole' });

describe.each([
	['TCP', () => world.mqttUrl],
	['WebSocket', () => world.wsUrl],
] as const)('readings over MQTT over %s', (_name, urlOf) => {
	it('that differ from an earlier one only in their numbers are stored without broker and parser', async () => {
		const { id, sensorId, token, topic } = await newDevice();
		const client = await mqttClient(urlOf(), id, token);
		const before = await shaped();
		const sent = Array.from({ length: 50 }, (_, seq) => ({
			...{ sensorId, metric: 'co2', value: 400 + seq * 1.25, unit: 'ppm', buildingId: 'b1', roomId: 'hall' },
			...{ observedAt: Date.now() - 1000 + seq, seq, boot: 'a1' },
		}));
		for (const reading of sent) await client.publishAsync(topic, JSON.stringify(reading), { qos: 1 });
		const stored = await storedOf(sensorId);
		expect(stored.map(({ value, seq, observedAt }) => ({ value, seq, observedAt }))).toEqual(
			sent.map(({ value, seq, observedAt }) => ({ value, seq, observedAt })),
		);
		expect(stored.at(-1)).toEqual({
			...stored[0],
			...sent.at(-1),
			id: stored.at(-1)!.id,
			receivedAt: expect.any(Number),
		});
		expect((await shaped()) - before).toBeGreaterThan(40);
	});

	it('that have no shape are stored without the broker', async () => {
		const { id, sensorId, token, topic } = await newDevice();
		const client = await mqttClient(urlOf(), id, token);
		const before = await whole();
		for (let seq = 0; seq < 10; seq++)
			await client.publishAsync(topic, JSON.stringify([{ metric: 'co2', value: 400 + seq, seq }]), { qos: 1 });
		expect((await storedOf(sensorId)).map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
		expect((await whole()) - before).toBe(9);
	});
});

/** A device whose last reading was stored by its shape, and a function that sends another one of it. */
async function deviceWithShape(of = world) {
	const id = `v-${++lastId}`;
	const sensorId = `g-${lastId}`;
	const topic = `telemetry/b1/hall/${sensorId}`;
	const token = await of.token(id, { sensorIds: [sensorId] });
	const client = await mqttClient(of.mqttUrl, id, token);
	let seq = 0;
	const shapedOf = () => of.metric('gateway_mqtt_fast_lane_total', { way: 'shape' });
	/** Whether the reading was taken by its shape. */
	const send = async () => {
		const before = await shapedOf();
		await client.publishAsync(topic, JSON.stringify({ metric: 'co2', value: 400 + seq, seq: seq++ }), { qos: 1 });
		return (await shapedOf()) > before;
	};
	await waitFor('a reading by its shape', send);
	const values = async () => (await of.stored()).filter((one) => one.sensorId === sensorId).map(({ value }) => value);
	/** Sends readings without waiting. Resolves when all are acknowledged. */
	const sendMany = (count: number) =>
		Promise.all(
			Array.from({ length: count }, () =>
				client.publishAsync(topic, JSON.stringify({ metric: 'co2', value: 400 + seq, seq: seq++ }), { qos: 1 }),
			),
		);
	return { id, sensorId, topic, token, client, send, sendMany, values, sent: () => seq };
}

describe('a shape no longer counts', () => {
	const building = (id: string, domains: string[]) =>
		JSON.stringify({ id, name: id, domains, rooms: [{ id: 'hall', name: 'Hall', capacity: 10 }] });

	it('once its device is revoked: the next reading on the open connection is refused', async () => {
		const { id, topic, send, values, sent } = await deviceWithShape();
		await world.bus.retain(TABLES.revokedDevices, id, JSON.stringify({ before: Math.floor(Date.now() / 1000) + 5 }));
		expect(await send()).toBe(false);
		await refusedAs(world, 'forbidden', topic);
		expect(await values()).toHaveLength(sent() - 1);
		await world.bus.retain(TABLES.revokedDevices, id, null);
	});

	it('once its building belongs to another domain: the next reading is refused', async () => {
		const { topic, send, values, sent } = await deviceWithShape();
		await world.bus.retain(TABLES.buildings, 'b1', building('b1', ['other']));
		expect(await send()).toBe(false);
		await refusedAs(world, 'forbidden', topic);
		expect(await values()).toHaveLength(sent() - 1);
		await world.bus.retain(TABLES.buildings, 'b1', building('b1', ['acme']));
	});

	it('once its sensor is replaced: the next reading is refused', async () => {
		const { sensorId, topic, send, values, sent } = await deviceWithShape();
		const staff = await world.account({ domainName: 'acme', role: 'admin' });
		const { status } = await world.call('POST', `/devices/${sensorId}/replace`, {
			token: staff,
			body: { by: `${sensorId}-new` },
		});
		expect(status).toBe(200);
		expect(await send()).toBe(false);
		await refusedAs(world, 'not_admitted', topic);
		expect(await values()).toHaveLength(sent() - 1);
	});

	it.each<[string, (sensorId: string) => [string, string, string]]>([
		[
			'sensors',
			(sensorId) => [TABLES.sensors, sensorId, JSON.stringify({ sensorId, buildingId: 'b1', roomId: 'hall' })],
		],
		['buildings', () => [TABLES.buildings, 'b9', building('b9', ['acme'])]],
		['revoked devices', () => [TABLES.revokedDevices, 'somebody', JSON.stringify({ before: 1 })]],
		[
			'metrics',
			() => [
				TABLES.metrics,
				'soil',
				JSON.stringify({ key: 'soil', name: 'Soil', unit: '%', min: 0, max: 100, gatewayId: 'other', at: 1 }),
			],
		],
	])('once the table of %s changes, whatever changes in it', async (_what, entry) => {
		const { sensorId, send, values, sent } = await deviceWithShape();
		const [table, key, value] = entry(sensorId);
		await world.bus.retain(table as typeof TABLES.sensors, key, value);
		expect(await send()).toBe(false);
		await waitFor('a reading by its shape', send);
		expect(await values()).toHaveLength(sent());
	});

	it('once a client subscribes to telemetry: it gets the next reading', async () => {
		const { sensorId, token, id, topic, send, client } = await deviceWithShape();
		const subscriber = await mqttClient(world.mqttUrl, id, token, { clientId: 'subscriber' });
		const messages = await messagesOn(subscriber, `telemetry/+/+/${sensorId}`);
		expect(await send()).toBe(false);
		await waitFor('the message', () => messages.length === 1);
		await subscriber.endAsync(true);
		await waitFor('a reading by its shape', send);
		expect(messages).toMatchObject([{ topic }]);
		expect(client.connected).toBe(true);
	});

	it('while the messages of a sensor are followed: each stage of the next reading is noted', async () => {
		const other = await openGatewayWorld();
		onTestFinished(() => other.stop());
		const { sensorId, send } = await deviceWithShape(other);
		const staff = await other.account({ domainName: 'acme', role: 'admin' });
		const trace = () => other.call('GET', `/trace?sensor=${sensorId}&minutes=1`, { token: staff });
		await trace();
		expect(await send()).toBe(false);
		const { messages } = (await trace()).body as { messages: { stages: { stage: string }[] }[] };
		expect(messages[0]!.stages.map(({ stage }) => stage)).toEqual(expect.arrayContaining(['received', 'stored']));
	});

	it('once the clock can no longer be trusted as before', async () => {
		const time = new SetClock(Date.UTC(2026, 10, 30), { runs: true });
		const other = await openGatewayWorld({ time });
		onTestFinished(() => other.stop());
		const { send, values, sent } = await deviceWithShape(other);
		time.step(-3600_000);
		expect(await send()).toBe(false);
		const last = (await other.stored()).at(-1)!;
		expect(last.timeQuality).toBe('holdover');
		expect(await values()).toHaveLength(sent());
	});
});

describe('a change of gateway.yaml while the gateway runs', () => {
	it.each<[string, object]>([
		['denies a sensor', { devices: { deny: ['c-*'] } }],
		['reads its topic with a decoder', { decoders: [{ topic: 'telemetry/#', use: 'zigbee2mqtt' }] }],
	])('that %s applies to readings that had a shape', async (_what, change) => {
		const gateway = await watchedGateway({ gatewayId: 'changing' });
		const token = await gateway.tokens.signDevice({ id: 'c', domainName: 'acme', buildingId: 'b1' });
		const client = await mqttClient(gateway.mqttUrl, 'c', token);
		const shapedThere = async () => {
			const text = await (await fetch(`${gateway.url}/metrics`)).text();
			return Number(/^gateway_mqtt_fast_lane_total\{way="shape"\} (\d+)$/m.exec(text)?.[1]);
		};
		let seq = 0;
		const send = async () => {
			const before = await shapedThere();
			const payload = JSON.stringify({ metric: 'co2', value: 400 + seq, seq: seq++ });
			await client.publishAsync('telemetry/b1/hall/c-1', payload, { qos: 1 });
			return (await shapedThere()) > before;
		};
		await waitFor('a reading by its shape', send);
		await writeFile(
			join(dirname(gateway.dataDir), 'gateway.yaml'),
			JSON.stringify({ gatewayId: 'changing', ...change }),
		);
		await waitFor('a reading that has no shape any more', async () => !(await send()));
		expect([await send(), await send()]).toEqual([false, false]);
	});
});

describe('readings by their shape', () => {
	const upTo = (count: number) => Array.from({ length: count }, (_, seq) => 400 + seq);

	it('outlive a disk that refuses to be written: each is stored once, and only then acknowledged', async () => {
		const disk = breakableDisk();
		const other = await openGatewayWorld({ faults: disk.faults });
		onTestFinished(() => other.stop());
		const { sendMany, values, sent } = await deviceWithShape(other);
		const before = sent();
		disk.breakDown();
		let acknowledged = false;
		const all = sendMany(30).then(() => {
			acknowledged = true;
		});
		await waitFor('a refused write', async () => (await other.metric('gateway_readings_deferred_total')) >= 30);
		expect([acknowledged, (await values()).length]).toEqual([false, before]);
		disk.mend();
		await all;
		// Each is tried again by itself, as all messages are, after a time that is partly random.
		expect((await values()).sort((a, b) => a - b)).toEqual(upTo(before + 30));
		expect(await other.metric('gateway_ledger_imbalance')).toBe(0);
	});

	it('wait for room in a full log, unacknowledged, and are then stored once', async () => {
		const other = await openGatewayWorld();
		onTestFinished(() => other.stop());
		const { sendMany, values, sent } = await deviceWithShape(other);
		const before = sent();
		const cursor = await other.fillLog();
		const all = sendMany(30);
		await waitFor('a refused reading', async () => (await other.metric('gateway_readings_deferred_total')) >= 30);
		await cursor.commit(other.log.endOffset);
		await all;
		expect((await values()).slice(-30).sort((a, b) => a - b)).toEqual(upTo(before + 30).slice(-30));
	});

	it('keep a connection alive that sends nothing else', async () => {
		const { id, token, topic } = await newDevice();
		const client = await rawSignedIn(world, id, token, 'raw', 1);
		const began = performance.now();
		for (let seq = 1; performance.now() - began < 2500; seq++) {
			const payload = JSON.stringify({ metric: 'co2', value: 400 + seq, seq });
			client.send({ cmd: 'publish', topic, payload, qos: 1, messageId: seq, dup: false, retain: false });
			expect(await client.next('puback')).toMatchObject({ messageId: seq });
		}
		expect(client.isClosed()).toBe(false);
		// aedes ends it after one and a half times its keep-alive.
		await client.closed;
	});

	it('whose key was stored before are acknowledged and not stored again', async () => {
		const { id, sensorId, token, topic } = await newDevice();
		const client = await mqttClient(world.mqttUrl, id, token);
		const payload = (seq: number) => JSON.stringify({ metric: 'co2', value: 400 + seq, seq });
		for (const seq of [0, 1, 2, 3, 2, 3, 0, 4]) await client.publishAsync(topic, payload(seq), { qos: 1 });
		expect((await storedOf(sensorId)).map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4]);
	});

	it('are recorded, seen as a sign of life, and counted for their device like all others', async () => {
		const { id, sensorId, sendMany, sent } = await deviceWithShape();
		await sendMany(20);
		const staff = await world.account({ domainName: 'acme', role: 'admin' });
		const { devices, sensors } = (await world.call('GET', '/devices', { token: staff })).body as {
			devices: { id: string; readings: number }[];
			sensors: { sensorId: string; state: string; lastSeen: number }[];
		};
		expect(devices.find((device) => device.id === id)).toMatchObject({ readings: sent() });
		expect(sensors.find((sensor) => sensor.sensorId === sensorId)).toMatchObject({ state: 'online' });
	});
});
