import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TABLES } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { bridgeTo, connected, mosquitto, peer } from '../../src/testing/bridge-world.ts';
import { type GatewayWorld, openGatewayWorld, refusedAs } from '../../src/testing/gateway-world.ts';
import { messagesOn, mqttClient } from '../../src/testing/mqtt-clients.ts';
import { SetClock } from '../../src/testing/set-clock.ts';
import { deviceWithShape, repeatingDevice } from '../../src/testing/shaped-device.ts';
import { watchedGateway } from '../../src/testing/watched-gateway.ts';

let world: GatewayWorld;
beforeAll(async () => {
	world = await openGatewayWorld();
});
afterAll(async () => {
	expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	await world.stop();
});

describe('a shape no longer counts', () => {
	const building = (id: string, domains: string[]) =>
		JSON.stringify({ id, name: id, domains, rooms: [{ id: 'hall', name: 'Hall', capacity: 10 }] });

	it('once its device is revoked: the next reading on the open connection is refused', async () => {
		const { id, topic, send, values, sent } = await deviceWithShape(world);
		await world.bus.retain(TABLES.revokedDevices, id, JSON.stringify({ before: Math.floor(Date.now() / 1000) + 5 }));
		expect(await send()).toBe(false);
		await refusedAs(world, 'forbidden', topic);
		expect(await values()).toHaveLength(sent() - 1);
		await world.bus.retain(TABLES.revokedDevices, id, null);
	});

	it('once its building belongs to another domain: the next reading is refused', async () => {
		const { topic, send, values, sent } = await deviceWithShape(world);
		await world.bus.retain(TABLES.buildings, 'b1', building('b1', ['other']));
		expect(await send()).toBe(false);
		await refusedAs(world, 'forbidden', topic);
		expect(await values()).toHaveLength(sent() - 1);
		await world.bus.retain(TABLES.buildings, 'b1', building('b1', ['acme']));
	});

	it('once its sensor is replaced: the next reading is refused', async () => {
		const { sensorId, topic, send, values, sent } = await deviceWithShape(world);
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
		const { sensorId, send, values, sent } = await deviceWithShape(world);
		const [table, key, value] = entry(sensorId);
		await world.bus.retain(table as typeof TABLES.sensors, key, value);
		expect(await send()).toBe(false);
		await waitFor('a reading by its shape', send);
		expect(await values()).toHaveLength(sent());
	});

	it('once a client subscribes to telemetry: it gets the next reading', async () => {
		const { sensorId, token, id, topic, send, client } = await deviceWithShape(world);
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

	it('and none is learnt while the time is not known: readings are corrected once it is', async () => {
		const time = new SetClock(Date.UTC(2001, 0, 1), { runs: true });
		const other = await openGatewayWorld({ time });
		onTestFinished(() => other.stop());
		const { send, values, sent } = await repeatingDevice(other);
		for (let i = 0; i < 5; i++) expect(await send()).toBe(false);
		time.set(Date.UTC(2026, 10, 30));
		await waitFor('a reading by its shape', send);
		await waitFor('all readings', async () => (await values()).length === sent());
		const { timeQuality, era } = (await other.stored()).at(-1)! as { timeQuality: string; era?: number };
		expect({ timeQuality, era }).toEqual({ timeQuality: 'synced', era: undefined });
	});
});

describe('readings that a bridge takes from the log', () => {
	const topic = { pattern: '#', direction: 'out', qos: 1, remotePrefix: 'site-a/' } as const;

	it('keep their shapes, and reach the remote', async () => {
		const broker = await mosquitto();
		const remote = await peer(broker, 'site-a/telemetry/#');
		const other = await openGatewayWorld({ settings: { bridges: [bridgeTo(broker, { topics: [topic] })] } });
		onTestFinished(() => other.stop());
		await connected(other);
		const { send, sent } = await deviceWithShape(other);
		expect(await send()).toBe(true);
		await waitFor('all readings at the remote', () => remote.received.length === sent());
		expect(remote.received.map(({ payload }) => JSON.parse(payload))).toEqual(await other.stored());
	});

	it('have none where the bridge takes their messages as they are', async () => {
		const broker = await mosquitto();
		const remote = await peer(broker, 'site-a/telemetry/#');
		const topics = [{ ...topic, content: 'raw' as const }];
		const other = await openGatewayWorld({ settings: { bridges: [bridgeTo(broker, { topics })] } });
		onTestFinished(() => other.stop());
		await connected(other);
		const { send } = await repeatingDevice(other);
		for (let i = 0; i < 5; i++) expect(await send()).toBe(false);
		await waitFor('all messages at the remote', () => remote.received.length === 5);
		expect(JSON.parse(remote.received[4]!.payload)).toEqual({ metric: 'co2', value: 404, seq: 4 });
	});
});

const METRIC = { key: 'soil', unit: 'ppm', min: 0, max: 5000, decimals: 0 };
const BRIDGE = {
	name: 'away',
	url: 'mqtt://127.0.0.1:1',
	topics: [{ pattern: '#', direction: 'out', content: 'raw' }],
};

describe('a change of gateway.yaml while the gateway runs', () => {
	it.each<[string, object]>([
		['denies a sensor', { devices: { deny: ['c-*'] } }],
		['reads its topic with a decoder', { decoders: [{ topic: 'telemetry/#', use: 'zigbee2mqtt' }] }],
		[
			'renames what its topic holds',
			{ decoders: [{ topic: 'telemetry/#', use: 'zigbee2mqtt', rename: { value: { metric: 'co2' } } }] },
		],
		['narrows the range of its metric', { metrics: [{ ...METRIC, max: 5 }] }],
		['takes its metric away', { metrics: [] }],
		['has a bridge take its messages as they are', { bridges: [BRIDGE] }],
	])('that %s applies to readings that had a shape', async (_what, change) => {
		const before = { gatewayId: 'changing', metrics: [METRIC] };
		const gateway = await watchedGateway(before);
		const token = await gateway.tokens.signDevice({ id: 'c', domainName: 'acme', buildingId: 'b1' });
		const client = await mqttClient(gateway.mqttUrl, 'c', token);
		const shapedThere = async () => {
			const text = await (await fetch(`${gateway.url}/metrics`)).text();
			return Number(/^gateway_mqtt_fast_lane_total\{way="shape"\} (\d+)$/m.exec(text)?.[1]);
		};
		let seq = 0;
		const send = async () => {
			const earlier = await shapedThere();
			const payload = JSON.stringify({ metric: 'soil', value: 400 + seq, seq: seq++ });
			await client.publishAsync('telemetry/b1/hall/c-1', payload, { qos: 1 });
			return (await shapedThere()) > earlier;
		};
		await waitFor('a reading by its shape', send);
		await writeFile(join(dirname(gateway.dataDir), 'gateway.yaml'), JSON.stringify({ ...before, ...change }));
		await waitFor('a reading that has no shape any more', async () => !(await send()));
		expect([await send(), await send()]).toEqual([false, false]);
		expect(await gateway.imbalances()).toEqual([]);
	});
});
