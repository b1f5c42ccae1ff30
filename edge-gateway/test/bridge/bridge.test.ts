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

/** A client of the gateway, as its device. */
async function device(world: GatewayWorld, id = 's1') {
	return mqttClient(world.mqttUrl, id, await world.token(id));
}

describe('readings to a remote', () => {
	it('go out as canonical JSON below the remote prefix, whatever transport they came by, in order', async () => {
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
		await waitFor('four readings', () => remote.heard.length === 4);
		const stored = await world.stored();
		expect(remote.heard.map(({ payload }) => JSON.parse(payload))).toEqual(stored);
		expect(remote.heard[0]).toMatchObject({ topic: 'site-a/telemetry/b1/hall/s1', qos: 1, retain: false });
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

	it('wait on disk while the remote is away, and through a restart of the gateway, in order', async () => {
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
		await waitFor('the last one', () => remote.heard.some(({ payload }) => JSON.parse(payload).seq === 4));
		// The client came when it could; what was published before is not for it.
		const seqs = remote.heard.map(({ payload }) => JSON.parse(payload).seq as number);
		expect(seqs).toEqual([1, 2, 3, 4].slice(-seqs.length));
		await waitFor('the acknowledgements', async () => (await reportOf(next)).delivered === 4);
		expect((await reportOf(next)).duplicates.sent).toBe(0);
	});
});

describe('messages from a remote', () => {
	it('a reading goes the way of all readings, and is not sent back', async () => {
		const broker = await mosquitto();
		const world = await gatewayWith(bridgeTo(broker, { topics: [{ pattern: 'telemetry/#', direction: 'both' }] }));
		const remote = await peer(broker);
		await connected(world);
		await remote.publish('telemetry/b1/hall/s9', JSON.stringify({ metric: 'temperature', value: 19 }));
		await waitFor('the reading', async () => (await world.stored()).length === 1);
		expect((await world.stored())[0]).toMatchObject({ sensorId: 's9', value: 19, bridge: 'campus', transport: 'mqtt' });
		await post(world, reading(1));
		await waitFor('our own reading', () => remote.heard.length === 2);
		expect(remote.heard.map(({ topic }) => topic)).toEqual(['telemetry/b1/hall/s9', 'telemetry/b1/hall/s1']);
		expect(await reportOf(world)).toMatchObject({ delivered: 1, received: 1, in: { delivered: 1 } });
	});

	it('what intake refuses is acknowledged, and in the rejected list', async () => {
		const broker = await mosquitto();
		const world = await gatewayWith(bridgeTo(broker, { topics: [{ pattern: 'telemetry/#', direction: 'in' }] }));
		const remote = await peer(broker);
		await connected(world);
		await remote.publish('telemetry/b1/hall/s9', 'no json', { qos: 2 });
		await waitFor('the refusal', async () => (await reportOf(world)).in.dropped.rejected === 1);
		expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
	});

	it('a command reaches its device, below the local prefix', async () => {
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

describe('raw messages to a remote', () => {
	it('are on disk before they are acknowledged, and go out as they are', async () => {
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
		await remote.hears('21.5');
		await remote.hears('anything');
		expect(remote.heard).toHaveLength(2);
		expect(remote.heard).toContainEqual({ topic: 'acme/uplink', payload: 'anything', qos: 2, retain: false });
		expect(remote.heard).toContainEqual({
			topic: 'telemetry/b1/hall/s1/temperature',
			payload: '21.5',
			qos: 1,
			retain: false,
		});
	});
});
