import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { CREDENTIALS, readingOf } from '../testing/peer.ts';
import { serialPeer } from '../testing/serial-peer.ts';
import { startUplink } from '../testing/start-uplink.ts';
import { serialLink } from './serial.ts';

const WITHIN = { timeout: 20_000 };

describe('the serial link', () => {
	it('keeps a reading that is answered with a temporary NAK', async () => {
		const peer = await aPeer();
		let busy = 2;
		peer.answer = ({ seq }) => (busy-- > 0 ? `NAK ${seq} log_full` : `ACK ${seq}`);
		const uplink = startUplink(peer.link());
		uplink.put(readingOf(7));
		await vi.waitFor(() => expect(uplink.stats()).toMatchObject({ acknowledged: 1, refused: 0, resent: 2 }), WITHIN);
		expect(peer.accepted).toEqual([readingOf(7)]);
	});

	it('accepts a refusal only at the third time, because the line may have damaged the reading', async () => {
		const peer = await aPeer();
		const refusals = new Map([
			[0, 2],
			[1, 9],
		]);
		peer.answer = ({ seq }) => {
			const left = refusals.get(seq) ?? 0;
			refusals.set(seq, left - 1);
			return left > 0 ? `NAK ${seq} invalid_reading` : `ACK ${seq}`;
		};
		const uplink = startUplink(peer.link());
		for (const seq of [0, 1, 2]) uplink.put(readingOf(seq));
		await vi.waitFor(() => expect(uplink.stats()).toMatchObject({ acknowledged: 2, refused: 1, pending: 0 }), WITHIN);
		expect(refusals.get(1)).toBe(6);
	});

	it('sends a reading without an answer again, and accepts a late answer', async () => {
		const peer = await aPeer();
		const seen: number[] = [];
		peer.answer = ({ seq }) => {
			seen.push(seq);
			// Nothing at first; then the answer to the first comes with the second.
			return seq === 0 ? undefined : `ACK 0\nACK ${seq}\nACK ${seq}\nACK 99`;
		};
		const uplink = startUplink(peer.link(), { ackTimeoutMs: 100 });
		uplink.put(readingOf(0));
		await vi.waitFor(() => expect(seen.length).toBeGreaterThan(1), WITHIN);
		uplink.put(readingOf(1));
		await vi.waitFor(() => expect(uplink.stats()).toMatchObject({ acknowledged: 2, pending: 0 }), WITHIN);
	});

	it('ignores garbage from the gateway', async () => {
		const peer = await aPeer();
		// All answers together fit into the terminal's buffer: serialport forgets a write that found it full until the next
		// bytes come in, and none come while readings wait for their answers.
		peer.answer = ({ seq }) => `\x00\xff${'x'.repeat(120)}\nACK\nNAK\nACK -1\n{"id":"c1"}\nACK ${seq}`;
		const uplink = startUplink(peer.link(), { ackTimeoutMs: 60_000 });
		for (let seq = 0; seq < 20; seq++) uplink.put(readingOf(seq));
		await vi.waitFor(() => expect(uplink.stats()).toMatchObject({ acknowledged: 20, resent: 0 }), WITHIN);
	});

	it('continues after the adapter was pulled out of the host and put back', async () => {
		const peer = await aPeer();
		const uplink = startUplink(peer.link(), { ackTimeoutMs: 100 });
		for (let seq = 0; seq < 20; seq++) uplink.put(readingOf(seq));
		await peer.modem.unplug();
		for (let seq = 20; seq < 40; seq++) uplink.put(readingOf(seq));
		await peer.modem.replug();
		await peer.start();
		await vi.waitFor(() => expect(uplink.stats()).toMatchObject({ acknowledged: 40, pending: 0 }), WITHIN);
		expect(new Set(peer.accepted.map((reading) => reading.seq)).size).toBe(40);
	});

	it('sends its credentials first if the port requires a token, and again after a restart of the gateway', async () => {
		const peer = await aPeer();
		let known = false;
		peer.answer = ({ seq }) => (known ? `ACK ${seq}` : 'NAK HELLO unauthenticated');
		peer.onOther = (line) => {
			known = line === `HELLO ${CREDENTIALS.deviceId} ${CREDENTIALS.token}`;
			return known ? 'OK' : 'NAK HELLO unauthenticated';
		};
		const uplink = startUplink(serialLink({ path: peer.modem.a, credentials: CREDENTIALS }), { ackTimeoutMs: 200 });
		uplink.put(readingOf(0));
		await vi.waitFor(() => expect(uplink.stats().acknowledged).toBe(1), WITHIN);
		expect(peer.garbage).toHaveLength(1);
		known = false;
		uplink.put(readingOf(1));
		await vi.waitFor(() => expect(uplink.stats()).toMatchObject({ acknowledged: 2, refused: 0 }), WITHIN);
	});

	it('waits for a port that does not exist yet', async () => {
		const uplink = startUplink(serialLink({ path: '/dev/null/nowhere' }));
		uplink.put(readingOf(0));
		await expect(serialLink({ path: '/dev/null/nowhere' }).open(AbortSignal.timeout(10_000))).rejects.toThrow();
		expect(uplink.stats()).toMatchObject({ connected: 0, pending: 1 });
	});
});

async function aPeer() {
	const peer = await serialPeer();
	onTestFinished(() => peer.close());
	return peer;
}
