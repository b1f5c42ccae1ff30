import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { SILENT } from '../logger.ts';
import { mqttPeer } from '../testing/mqtt-peer.ts';
import { CREDENTIALS, readingOf } from '../testing/peer.ts';
import { startUplink } from '../testing/start-uplink.ts';
import { mqttLink } from './mqtt.ts';

const WITHIN = { timeout: 20_000 };

describe('the MQTT link', () => {
	it('leaves the ids of the topic out of the payload, and signs in with device id and token', async () => {
		const peer = await aPeer();
		const uplink = startUplink(peer.link());
		uplink.put(readingOf(1));
		await vi.waitFor(() => expect(peer.payloads).toHaveLength(1), WITHIN);
		const { buildingId: _b, roomId: _r, sensorId: _s, ...rest } = readingOf(1);
		expect(JSON.parse(peer.payloads[0]!)).toEqual(rest);
		expect(peer.broker.log()).toMatch(/as sim-1 \(p2, c1, k\d+, u'sim-1'\)/);
	});

	it('publishes retained that its sensors are online, and offline when it is switched off', async () => {
		const peer = await aPeer();
		const uplink = startUplink(peer.link());
		await vi.waitFor(() => expect(states(peer)).toEqual({ 'hall-co2': 'online', 'hall-noise': 'online' }), WITHIN);
		await uplink.stop();
		await vi.waitFor(() => expect(states(peer)).toEqual({ 'hall-co2': 'offline', 'hall-noise': 'offline' }), WITHIN);
		peer.others.length = 0;
		await peer.listener.unsubscribeAsync('#');
		await peer.listener.subscribeAsync('status/#', { qos: 1 });
		await vi.waitFor(() => {
			expect(peer.others).toEqual(
				expect.arrayContaining([
					['status/hall-co2', 'offline', true],
					['status/hall-noise', 'offline', true],
				]),
			);
		}, WITHIN);
	});

	it('leaves a last will for a connection that is cut', async () => {
		const peer = await aPeer();
		const connection = await peer.link().open(AbortSignal.timeout(10_000));
		await vi.waitFor(() => expect(states(peer)['hall-co2']).toBe('online'), WITHIN);
		connection.cut('unplugged');
		expect(await connection.closed).toBe('unplugged');
		await vi.waitFor(() => expect(states(peer)['hall-co2']).toBe('offline'), WITHIN);
	});

	it('receives the commands for its sensors, and no others', async () => {
		const peer = await aPeer();
		const uplink = startUplink(peer.link());
		uplink.put(readingOf(1));
		// Subscribed before the reading was sent, so by its acknowledgement the broker knows of it.
		await vi.waitFor(() => expect(uplink.stats().acknowledged).toBe(1), WITHIN);
		await peer.listener.publishAsync('command/somebody-else', '{}', { qos: 1 });
		await peer.listener.publishAsync(
			'command/hall-noise',
			'{"id":"c1","name":"self-destruct","deadline":1,"ttlMs":1}',
			{ qos: 1 },
		);
		await vi.waitFor(() => expect(peer.commands).toEqual([['hall-noise', 'self-destruct']]), WITHIN);
		uplink.put(readingOf(2));
		await vi.waitFor(() => expect(uplink.stats()).toMatchObject({ acknowledged: 2, connected: 1 }), WITHIN);
	});

	it('notices that the broker no longer answers, and delivers everything over a new connection', async () => {
		const peer = await aPeer();
		const reasons: unknown[] = [];
		const logger = { ...SILENT, debug: (details: { reason?: string }) => void reasons.push(details.reason) };
		const uplink = startUplink(peer.link(), { ackTimeoutMs: 100, logger });
		await vi.waitFor(() => expect(uplink.stats().connected).toBe(1), WITHIN);
		process.kill(peer.broker.pid, 'SIGSTOP');
		for (let seq = 0; seq < 40; seq++) uplink.put(readingOf(seq));
		await vi.waitFor(() => expect(reasons).toContain('no answer'), WITHIN);
		process.kill(peer.broker.pid, 'SIGCONT');
		await vi.waitFor(() => expect(uplink.stats()).toMatchObject({ acknowledged: 40, pending: 0 }), WITHIN);
		expect(uplink.stats().connected).toBeGreaterThan(1);
		for (const reading of peer.accepted) expect(reading).toEqual(readingOf(reading.seq));
	});

	it('reports why the broker refused it', async () => {
		const nobody = mqttLink({ url: 'mqtt://127.0.0.1:1', clientId: 'x', credentials: CREDENTIALS, sensorIds: ['x'] });
		await expect(nobody.open(AbortSignal.timeout(10_000))).rejects.toThrow(/ECONNREFUSED/);
	});
});

type MqttPeer = Awaited<ReturnType<typeof mqttPeer>>;

async function aPeer(): Promise<MqttPeer> {
	const peer = await mqttPeer();
	onTestFinished(() => peer.close());
	return peer;
}

const states = (peer: MqttPeer) =>
	Object.fromEntries(
		peer.others
			.filter(([topic]) => topic.startsWith('status/'))
			.map(([topic, payload]) => [topic.slice('status/'.length), payload]),
	);
