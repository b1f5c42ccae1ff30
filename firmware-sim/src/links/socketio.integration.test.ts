import type { ErrorCode } from '@crowdvision/contracts';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { readingOf } from '../testing/peer.ts';
import { socketioPeer } from '../testing/socketio-peer.ts';
import { startUplink } from '../testing/start-uplink.ts';

const WITHIN = { timeout: 10_000 };

describe('the Socket.IO link', () => {
	it.each<ErrorCode>(['log_full', 'unavailable', 'rate_limited', 'internal', 'unauthenticated'])(
		'keeps a reading that is answered with %s',
		async (code) => {
			const peer = await aPeer();
			let busy = 2;
			peer.answer = () => (busy-- > 0 ? { ok: false, error: { code, message: 'not now' } } : { ok: true, accepted: 1 });
			const uplink = startUplink(peer.link());
			uplink.put(readingOf(1));
			await vi.waitFor(
				() => expect(uplink.stats()).toMatchObject({ acknowledged: 1, refused: 0, pending: 0, resent: 2 }),
				WITHIN,
			);
			expect(peer.accepted).toEqual([readingOf(1)]);
		},
	);

	it.each<ErrorCode>(['invalid_reading', 'forbidden', 'unknown_sensor'])(
		'drops and counts a reading that is refused with %s',
		async (code) => {
			const peer = await aPeer();
			peer.answer = ({ seq }) =>
				seq === 1 ? { ok: false, error: { code, message: 'never' } } : { ok: true, accepted: 1 };
			const uplink = startUplink(peer.link());
			for (const seq of [0, 1, 2]) uplink.put(readingOf(seq));
			await vi.waitFor(
				() => expect(uplink.stats()).toMatchObject({ acknowledged: 2, refused: 1, pending: 0, resent: 0 }),
				WITHIN,
			);
		},
	);

	it('sends unanswered readings again, over a new connection when nothing is answered', async () => {
		const peer = await aPeer();
		let silent = true;
		peer.answer = () => (silent ? undefined : { ok: true, accepted: 1 });
		const uplink = startUplink(peer.link(), { ackTimeoutMs: 50 });
		uplink.put(readingOf(1));
		await vi.waitFor(() => expect(uplink.stats().connected).toBeGreaterThan(1), WITHIN);
		silent = false;
		await vi.waitFor(() => expect(uplink.stats()).toMatchObject({ acknowledged: 1, pending: 0 }), WITHIN);
	});

	it('keeps its readings and tries again while its token is not accepted', async () => {
		const peer = await aPeer();
		peer.token = 'another';
		const uplink = startUplink(peer.link());
		uplink.put(readingOf(1));
		await expect(peer.link().open(AbortSignal.timeout(10_000))).rejects.toThrow('the token is not valid');
		expect(uplink.stats()).toMatchObject({ connected: 0, pending: 1 });
		peer.token = 'a-token';
		await vi.waitFor(() => expect(uplink.stats()).toMatchObject({ connected: 1, acknowledged: 1 }), WITHIN);
	});

	it('answers a command it does not know with a failure', async () => {
		const peer = await aPeer();
		const uplink = startUplink(peer.link());
		uplink.put(readingOf(1));
		await vi.waitFor(() => expect(uplink.stats().acknowledged).toBe(1), WITHIN);
		expect(await peer.command('self-destruct')).toEqual([
			{ ok: false, outcome: 'failed', detail: 'this device knows no such command' },
		]);
	});
});

async function aPeer() {
	const peer = await socketioPeer();
	onTestFinished(() => peer.close());
	return peer;
}
