import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { BridgeConfig } from '../../src/bridge/config/bridge-config.ts';
import { bridgeTo, connected, mosquitto, peer, reportOf } from '../../src/testing/bridge-world.ts';
import { type GatewayWorld, isWorthCopying, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { messagesOn, mqttClient } from '../../src/testing/mqtt-clients.ts';

async function gatewayWith(...bridges: BridgeConfig[]): Promise<GatewayWorld> {
	const world = await openGatewayWorld({ settings: { bridges } });
	onTestFinished(() => world.stop());
	return world;
}

const reading = (seq: number, value = 21) => ({
	sensorId: 's1',
	metric: 'temperature',
	value,
	buildingId: 'b1',
	roomId: 'hall',
	seq,
});

async function post(world: GatewayWorld, body: unknown): Promise<void> {
	const { status, text } = await world.call('POST', '/ingest', { token: await world.token('poster'), body });
	if (status !== 202) throw new Error(text);
}

/** An MQTT client of the gateway, signed in as a device. */
async function device(world: GatewayWorld, id = 's1') {
	return mqttClient(world.mqttUrl, id, await world.token(id));
}

describe('readings for a remote', () => {
	it('are sent in order as canonical JSON below the remote prefix, whatever their transport', async () => {
		const broker = await mosquitto();
		const remote = await peer(broker, 'site-a/#');
		const world = await gatewayWith(
			bridgeTo(broker, { topics: [{ pattern: 'telemetry/#', direction: 'out', qos: 1, remotePrefix: 'site-a/' }] }),
		);
		await connected(world);
		await post(world, [reading(1), reading(2), reading(3)]);
		await (await device(world)).publishAsync(
			'telemetry/b1/hall/s1',
			JSON.stringify({ metric: 'humidity', value: 40 }),
			{ qos: 1 },
		);
		await waitFor('four readings', () => remote.received.length === 4);
		const stored = await world.stored();
		expect(remote.received.map(({ payload }) => JSON.parse(payload))).toEqual(stored);
		expect(remote.received[0]).toMatchObject({ topic: 'site-a/telemetry/b1/hall/s1', qos: 1, retain: false });
		await waitFor('the acknowledgements', async () => (await reportOf(world)).queued === 0);
		expect(await reportOf(world)).toMatchObject({
			state: 'connected',
			delivered: 4,
			received: 0,
			lag: 0,
			protocol: '5',
			duplicates: { sent: 0 },
		});
	});

	it('wait on disk while the remote is away, also during a restart of the gateway, and are sent in order', async () => {
		const broker = await mosquitto('persistence true\npersistence_location {dir}/\nautosave_interval 1');
		const bridges = [bridgeTo(broker, { topics: [{ pattern: 'telemetry/#' }] })];
		const world = await gatewayWith(...bridges);
		await connected(world);
		await broker.kill();
		await post(world, [reading(1), reading(2)]);
		await waitFor('the reason', async () => (await reportOf(world)).lastFailure?.reason);
		expect(await reportOf(world)).toMatchObject({ queued: 2, delivered: 0 });
		const left = await mkdtemp(join(tmpdir(), 'crowdvision-bridge-'));
		onTestFinished(() => rm(left, { recursive: true }));
		await cp(world.dataDir, left, { recursive: true, filter: isWorthCopying });
		await world.stop();
		const next = await openGatewayWorld({ settings: { bridges }, copyOf: left });
		onTestFinished(() => next.stop());
		await post(next, reading(3));
		await broker.restart();
		const remote = await peer(broker, 'telemetry/#');
		await connected(next);
		await post(next, reading(4));
		await waitFor('the last one', () => remote.received.some(({ payload }) => JSON.parse(payload).seq === 4));
		// The client may have subscribed after the first readings were published.
		const seqs = remote.received.map(({ payload }) => JSON.parse(payload).seq as number);
		expect(seqs).toEqual([1, 2, 3, 4].slice(-seqs.length));
		await waitFor('the acknowledgements', async () => (await reportOf(next)).delivered === 4);
		expect((await reportOf(next)).duplicates.sent).toBe(0);
	});
});

describe('a message from a remote', () => {
	it('that is a reading is stored like any other, and not sent back', async () => {
		const broker = await mosquitto();
		const world = await gatewayWith(bridgeTo(broker, { topics: [{ pattern: 'telemetry/#', direction: 'both' }] }));
		const remote = await peer(broker);
		await connected(world);
		await remote.publish('telemetry/b1/hall/s9', JSON.stringify({ metric: 'temperature', value: 19 }));
		await waitFor('the reading', async () => (await world.stored()).length === 1);
		expect((await world.stored())[0]).toMatchObject({ sensorId: 's9', value: 19, bridge: 'campus', transport: 'mqtt' });
		await post(world, reading(1));
		await waitFor('the reading of the gateway', () => remote.received.length === 2);
		expect(remote.received.map(({ topic }) => topic)).toEqual(['telemetry/b1/hall/s9', 'telemetry/b1/hall/s1']);
		expect(await reportOf(world)).toMatchObject({ delivered: 1, received: 1, in: { delivered: 1 } });
	});

	it('that the intake refuses is acknowledged, and listed as rejected', async () => {
		const broker = await mosquitto();
		const world = await gatewayWith(bridgeTo(broker, { topics: [{ pattern: 'telemetry/#', direction: 'in' }] }));
		const remote = await peer(broker);
		await connected(world);
		await remote.publish('telemetry/b1/hall/s9', 'no json', { qos: 2 });
		await waitFor('the refusal', async () => (await reportOf(world)).in.dropped.rejected === 1);
		expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	});

	it('that is a command reaches its device on the local topic', async () => {
		const broker = await mosquitto();
		const world = await gatewayWith(
			bridgeTo(broker, { topics: [{ pattern: 'command/#', direction: 'in', qos: 1, remotePrefix: 'site-a/' }] }),
		);
		const remote = await peer(broker);
		await connected(world);
		const commands = await messagesOn(await device(world, 's1'), 'command/s1');
		await remote.publish('site-a/command/s1', 'blink');
		await waitFor('the command', () => commands.length === 1);
		expect(commands[0]).toMatchObject({ topic: 'command/s1', payload: 'blink' });
	});
});

describe('raw messages for a remote', () => {
	it('are on disk before they are acknowledged, and are sent unchanged', async () => {
		const broker = await mosquitto();
		const world = await gatewayWith(
			bridgeTo(broker, {
				topics: [
					{ pattern: 'acme/#', qos: 2 },
					{ pattern: 'telemetry/#', content: 'raw' },
				],
			}),
		);
		const remote = await peer(broker);
		await connected(world);
		const client = await device(world);
		await client.publishAsync('acme/uplink', 'anything', { qos: 1, retain: true });
		await client.publishAsync('telemetry/b1/hall/s1/temperature', '21.5', { qos: 1 });
		await remote.receives('21.5');
		await remote.receives('anything');
		expect(remote.received).toHaveLength(2);
		expect(remote.received).toContainEqual({ topic: 'acme/uplink', payload: 'anything', qos: 2, retain: false });
		expect(remote.received).toContainEqual({
			topic: 'telemetry/b1/hall/s1/temperature',
			payload: '21.5',
			qos: 1,
			retain: false,
		});
	});
});
