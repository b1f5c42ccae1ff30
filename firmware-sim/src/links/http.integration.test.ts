import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { httpPeer } from '../testing/http-peer.ts';
import { readingOf } from '../testing/peer.ts';
import { startUplink } from '../testing/start-uplink.ts';
import { httpLink, retryAfter } from './http.ts';

describe('the HTTP link', () => {
	it.each([429, 503])(
		'waits as long as Retry-After says after a %i, then sends the same reading again',
		async (status) => {
			const peer = await aPeer();
			let busy = 2;
			peer.answer = () =>
				busy-- > 0
					? { status, headers: { 'retry-after': '1' }, body: '{"error":{"code":"log_full"}}' }
					: { status: 202 };
			const uplink = startUplink(peer.link());
			uplink.put(readingOf(1));
			await vi.waitFor(() => expect(peer.accepted).toEqual([readingOf(1)]), 10_000);
			expect(peer.requestedAt).toHaveLength(3);
			for (const turn of [1, 2]) expect(peer.requestedAt[turn]! - peer.requestedAt[turn - 1]!).toBeGreaterThan(950);
			await vi.waitFor(() => expect(uplink.stats()).toMatchObject({ acknowledged: 1, refused: 0, pending: 0 }));
		},
	);

	it.each([400, 404, 413, 415, 422])(
		'drops and counts a reading that is refused with %i, and sends the next',
		async (status) => {
			const peer = await aPeer();
			peer.answer = ({ seq }) =>
				seq === 1 ? { status, body: '{"error":{"code":"invalid_reading"}}' } : { status: 202 };
			const uplink = startUplink(peer.link());
			for (const seq of [0, 1, 2]) uplink.put(readingOf(seq));
			await vi.waitFor(
				() => expect(uplink.stats()).toMatchObject({ acknowledged: 2, refused: 1, pending: 0, resent: 0 }),
				10_000,
			);
			expect(peer.accepted.map((reading) => reading.seq).sort()).toEqual([0, 2]);
		},
	);

	it.each([401, 403, 408, 500, 502, 200, 301])('keeps a reading that is answered with %i', async (status) => {
		const peer = await aPeer();
		let first = true;
		peer.answer = () => {
			const answer = { status: first ? status : 202, body: first ? 'not JSON' : '{}' };
			first = false;
			return answer;
		};
		const uplink = startUplink(peer.link());
		uplink.put(readingOf(1));
		await vi.waitFor(() => expect(uplink.stats()).toMatchObject({ acknowledged: 1, refused: 0, resent: 1 }), 10_000);
	});

	it('keeps a reading while its token is wrong or the gateway is away', async () => {
		const peer = await aPeer();
		for (const link of [
			httpLink(peer.url, { deviceId: 'sim-1', token: 'wrong' }),
			httpLink('http://127.0.0.1:1', { deviceId: 'sim-1', token: 'x' }),
		]) {
			const uplink = startUplink(link);
			uplink.put(readingOf(1));
			await vi.waitFor(() => expect(uplink.stats().resent).toBeGreaterThan(1), 10_000);
			expect(uplink.stats()).toMatchObject({ acknowledged: 0, refused: 0, pending: 1 });
		}
		expect(peer.accepted).toEqual([]);
	});

	it('parses Retry-After as seconds or as a date, up to an hour, and nothing else', () => {
		const now = Date.UTC(2026, 10, 22, 10);
		expect(retryAfter('5', now)).toBe(5000);
		expect(retryAfter('Sun, 22 Nov 2026 10:00:30 GMT', now)).toBe(30_000);
		expect(retryAfter('Sun, 22 Nov 2026 09:00:00 GMT', now)).toBe(0);
		expect(retryAfter('99999999999', now)).toBe(3_600_000);
		expect(retryAfter('soon', now)).toBeUndefined();
		expect(retryAfter(undefined, now)).toBeUndefined();
	});
});

async function aPeer() {
	const peer = await httpPeer();
	onTestFinished(() => peer.close());
	return peer;
}
