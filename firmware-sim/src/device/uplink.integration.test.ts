import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Faults } from '../faults.ts';
import { SILENT } from '../logger.ts';
import type { DeviceReading } from '../reading.ts';
import { httpPeer } from '../testing/http-peer.ts';
import { mqttPeer } from '../testing/mqtt-peer.ts';
import { type Peer, readingOf } from '../testing/peer.ts';
import { serialPeer } from '../testing/serial-peer.ts';
import { socketioPeer } from '../testing/socketio-peer.ts';
import { Uplink, type UplinkOptions } from './uplink.ts';

const PEERS = { serial: serialPeer, mqtt: mqttPeer, http: httpPeer, 'socket.io': socketioPeer };
const TIMEOUT = { timeout: 30_000 };

describe.each(Object.keys(PEERS) as (keyof typeof PEERS)[])('a device over %s', (transport) => {
	it('gets every reading acknowledged once and in order', async () => {
		const { peer, uplink, acknowledged } = await connected(transport, { ackTimeoutMs: 20_000 });
		for (let seq = 0; seq < 100; seq++) uplink.put(readingOf(seq));
		await uplink.drained(AbortSignal.timeout(30_000));
		expect(uplink.stats()).toEqual({
			produced: 100,
			sent: 100,
			resent: 0,
			acknowledged: 100,
			refused: 0,
			overwritten: 0,
			pending: 0,
			connected: 1,
		});
		await vi.waitFor(() => expect(peer.accepted).toHaveLength(100), TIMEOUT);
		if (transport !== 'http') expect(peer.accepted).toEqual(Array.from({ length: 100 }, (_, seq) => readingOf(seq)));
		expectEffectivelyOnce(peer, acknowledged, 100);
	});

	it('loses nothing while the gateway is away, and reconnects by itself', async () => {
		const { peer, uplink, acknowledged } = await connected(transport);
		let seq = 0;
		const put = (count: number) => {
			for (let more = 0; more < count; more++) uplink.put(readingOf(seq++));
		};
		for (let round = 0; round < 3; round++) {
			put(40);
			await peer.stop();
			put(20);
			const { acknowledged: before } = uplink.stats();
			await peer.start();
			put(20);
			await vi.waitFor(() => expect(uplink.stats().acknowledged).toBeGreaterThan(before), TIMEOUT);
		}
		await vi.waitFor(() => expect(uplink.stats().pending).toBe(0), TIMEOUT);
		await everythingArrived(peer, seq);
		expectEffectivelyOnce(peer, acknowledged, seq);
	});

	it('gets every reading through drops, duplicates, reordering and cut connections', async () => {
		const faults = new Faults(
			[
				'drop:0.1',
				'duplicate:0.1',
				'reorder:0.1',
				'unplug:0.03',
				...(transport === 'serial' ? ['corrupt-byte:0.1', 'torn-frame:0.1'] : []),
			],
			5,
		);
		const { peer, uplink, acknowledged } = await connected(transport, { faults });
		for (let seq = 0; seq < 200; seq++) uplink.put(readingOf(seq));
		await vi.waitFor(() => expect(uplink.stats().pending).toBe(0), TIMEOUT);
		for (const fault of faults.all) expect([fault.name, fault.injected > 0]).toEqual([fault.name, true]);
		const { resent, connected: connections } = uplink.stats();
		expect(resent).toBeGreaterThan(0);
		expect(connections).toBeGreaterThan(1);
		await everythingArrived(peer, 200);
		expectEffectivelyOnce(peer, acknowledged, 200);
	});

	it('keeps the newest readings and counts the overwritten ones when the gateway stays away for long', async () => {
		const { peer, uplink, acknowledged } = await connected(transport, { bufferSize: 10 });
		await peer.stop();
		for (let seq = 0; seq < 100; seq++) uplink.put(readingOf(seq));
		expect(uplink.stats()).toMatchObject({ produced: 100, overwritten: 90, pending: 10 });
		await peer.start();
		await vi.waitFor(() => expect(uplink.stats().pending).toBe(0), TIMEOUT);
		expect(uplink.stats()).toMatchObject({ acknowledged: 10, overwritten: 90 });
		expect(acknowledged.map((reading) => reading.seq).sort()).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
		await vi.waitFor(
			() => expect(peer.accepted.map((reading) => reading.seq)).toEqual(expect.arrayContaining([90, 99])),
			TIMEOUT,
		);
	});

	it('can be switched off while the gateway is away, and sends nothing after that', async () => {
		const { peer, uplink } = await connected(transport);
		await peer.stop();
		for (let seq = 0; seq < 50; seq++) uplink.put(readingOf(seq));
		await uplink.stop();
		const { sent, pending } = uplink.stats();
		expect(pending).toBe(50);
		uplink.put(readingOf(50));
		expect(uplink.stats().sent).toBe(sent);
		await uplink.stop();
	});
});

interface Setting {
	peer: Peer;
	uplink: Uplink;
	acknowledged: DeviceReading[];
}

async function connected(transport: keyof typeof PEERS, options: Partial<UplinkOptions> = {}): Promise<Setting> {
	const peer = await PEERS[transport]();
	onTestFinished(() => peer.close());
	const faults = options.faults ?? new Faults();
	const acknowledged: DeviceReading[] = [];
	const uplink = new Uplink(
		peer.link((frame) => faults.onFrame(frame)),
		{
			bufferSize: 1000,
			ackTimeoutMs: 200,
			retry: { firstMs: 20, longestMs: 200 },
			logger: SILENT,
			onAcknowledged: (reading) => acknowledged.push(reading),
			...options,
			faults,
		},
	);
	onTestFinished(() => uplink.stop());
	uplink.start();
	await vi.waitFor(() => expect(uplink.stats().connected).toBe(1), TIMEOUT);
	return { peer, uplink, acknowledged };
}

const everythingArrived = (peer: Peer, count: number) =>
	vi.waitFor(() => expect(new Set(peer.accepted.map((reading) => reading.seq)).size).toBe(count), TIMEOUT);

/**
 * All were acknowledged to the device once, were taken by the gateway, and carried the same content whenever they came.
 */
function expectEffectivelyOnce(peer: Peer, acknowledged: DeviceReading[], count: number): void {
	expect(acknowledged).toHaveLength(count);
	const all = Array.from({ length: count }, (_, seq) => readingOf(seq));
	expect(acknowledged.toSorted((a, b) => a.seq - b.seq)).toEqual(all);
	for (const reading of peer.accepted) expect(reading).toEqual(readingOf(reading.seq));
	expect(new Set(peer.accepted.map((reading) => reading.seq)).size).toBe(count);
}
