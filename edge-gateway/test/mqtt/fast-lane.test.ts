import { waitFor } from '@crowdvision/testing/wait';
import { generate } from 'mqtt-packet';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { breakableDisk, type GatewayWorld, heldDisk, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { mqttClient, rawSignedIn } from '../../src/testing/mqtt-clients.ts';
import { deviceWithShape } from '../../src/testing/shaped-device.ts';

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

describe('what real devices send takes the lane', () => {
	const json = (metric: string, n: number, more = '') => `{"metric":"${metric}","value":${20 + n / 4}${more}}`;

	it.each<[string, string, ((n: number) => string)[]]>([
		[
			'three metrics in turn under one topic, without seq and boot',
			'',
			['temperature', 'humidity', 'co2'].map((metric) => (n: number) => json(metric, n)),
		],
		['bare numbers', '/temperature', [(n) => String(20 + n / 4)]],
		['a reading with a boot id', '', [(n) => json('co2', n, `,"seq":${n},"boot":"7f3a"`)]],
		[
			'the same metric in two spellings',
			'',
			[(n) => json('co2', n, `,"seq":${n}`), (n) => `{ "value": ${20 + n}, "metric": "co2" }`],
		],
		[
			'a time in seconds, and one as a text',
			'',
			[
				(n) => json('co2', n, `,"observedAt":${Math.floor(Date.now() / 1000) - 100 + n}`),
				(n) => json('noise', n, `,"observedAt":"${new Date(Date.now() - 100_000 + n * 1000).toISOString()}"`),
			],
		],
	])('%s', async (_what, below, kinds) => {
		const { id, sensorId, token, topic } = await newDevice();
		const client = await mqttClient(world.mqttUrl, id, token);
		const publish = (n: number) => client.publishAsync(`${topic}${below}`, kinds[n % kinds.length]!(n), { qos: 1 });
		for (let n = 0; n < 2 * kinds.length; n++) await publish(n);
		const before = await shaped();
		for (let n = 2 * kinds.length; n < 8 * kinds.length; n++) await publish(n);
		expect((await shaped()) - before).toBe(6 * kinds.length);
		expect(await storedOf(sensorId)).toHaveLength(8 * kinds.length);
	});

	it('in chunks that always end inside a packet', async () => {
		const { id, sensorId, token, topic } = await newDevice();
		const client = await rawSignedIn(world, id, token, 'raw');
		const packet = (n: number) =>
			generate({
				...{ cmd: 'publish', topic, payload: json('co2', n, `,"seq":${n}`), qos: 1, messageId: n },
				...{ dup: false, retain: false },
			});
		const before = await shaped();
		// Begins with what only the broker answers, and goes on in the middle of a packet.
		let rest = Buffer.concat([generate({ cmd: 'pingreq' }), packet(1)]);
		for (let n = 2; n <= 40; n++) {
			const bytes = Buffer.concat([rest, packet(n)]);
			client.sendBytes(bytes.subarray(0, bytes.length - 20));
			rest = bytes.subarray(bytes.length - 20);
			expect(await client.next('puback')).toMatchObject({ messageId: n - 1 });
		}
		expect((await shaped()) - before).toBeGreaterThan(30);
		expect(await storedOf(sensorId)).toHaveLength(39);
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

	it('wait for a slow disk, unacknowledged, and are then acknowledged in the order in which they came', async () => {
		const disk = heldDisk();
		const other = await openGatewayWorld({ worker: (real) => disk.worker(real) });
		onTestFinished(() => other.stop());
		const { sendMany, values, sent, send } = await deviceWithShape(other);
		const before = sent();
		disk.hold();
		const taken = () => other.metric('gateway_mqtt_fast_lane_total', { way: 'shape' });
		const first = await taken();
		let acknowledged = false;
		const all = sendMany(30).then(() => {
			acknowledged = true;
		});
		await waitFor('readings under way', async () => (await taken()) > first);
		expect(acknowledged).toBe(false);
		disk.release();
		await all;
		expect(await send()).toBe(true);
		expect(await values()).toEqual(upTo(before + 31));
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
		const { id, sensorId, sendMany, sent } = await deviceWithShape(world);
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
