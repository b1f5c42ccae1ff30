import { startUpstream, type Upstream } from '@crowdvision/testing/upstream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { OutboundAllow } from './outbound-allow.ts';
import { OutboundClient, OutboundRefusal, type Resolve } from './outbound-client.ts';

async function target(answer?: Parameters<typeof startUpstream>[1]): Promise<Upstream & { port: string }> {
	const upstream = await startUpstream('target', answer);
	onTestFinished(() => upstream.kill());
	return Object.assign(upstream, { port: upstream.address.split(':')[1]! });
}
const clientOf = (allow: string[], resolve?: Resolve) =>
	new OutboundClient({ allow: new OutboundAllow(allow), env: {}, ...(resolve && { resolve }) });

describe('A5 a request to a target that a user named', () => {
	it('carries method, headers and body, and gives the answer back', async () => {
		const { port, asked } = await target((_asked, response) => void response.writeHead(418).end('short and stout'));
		const answer = await clientOf(['127.0.0.1']).request(`http://127.0.0.1:${port}/pot?x=1`, {
			headers: { 'webhook-id': 'a' },
			body: '{"a":1}',
		});
		expect(answer).toMatchObject({ status: 418, text: 'short and stout' });
		expect(asked).toMatchObject([
			{ method: 'POST', path: '/pot?x=1', body: '{"a":1}', headers: { 'webhook-id': 'a' } },
		]);
	});

	it('follows no redirect', async () => {
		const inner = await target();
		const outer = await target(
			(_asked, response) => void response.writeHead(302, { location: `http://127.0.0.1:${inner.port}/` }).end(),
		);
		expect(await clientOf(['127.0.0.1']).request(`http://127.0.0.1:${outer.port}/`)).toMatchObject({ status: 302 });
		expect(inner.asked).toEqual([]);
	});

	it('connects to no name that resolves to a private address by the time it is sent', async () => {
		const { port, asked } = await target();
		let lookups = 0;
		const client = clientOf([], async () => [{ address: ++lookups === 1 ? '93.184.216.34' : '127.0.0.1', family: 4 }]);
		const url = `https://rebinding.example:${port}/`;
		expect(await client.refusalOf(url)).toBeUndefined();
		await expect(client.request(url)).rejects.toThrow(/public internet/);
		const mixed = clientOf([], async () => [
			{ address: '93.184.216.34', family: 4 },
			{ address: '::ffff:127.0.0.1', family: 6 },
		]);
		await expect(mixed.request(url)).rejects.toThrow(/public internet/);
		expect(asked).toEqual([]);
	});

	it('is not sent to what may not be asked, but to what the operator named', async () => {
		const { port, asked } = await target();
		const url = `http://127.0.0.1:${port}/`;
		await expect(clientOf(['127.0.0.1:1']).request(url)).rejects.toBeInstanceOf(OutboundRefusal);
		expect(asked).toEqual([]);
		expect(await clientOf([]).request(url, { method: 'GET', byOperator: true })).toMatchObject({ status: 200 });
	});

	it('reads 16 KiB of an answer that does not end', async () => {
		const { port } = await target((_asked, response) => {
			const more = () => {
				while (!response.destroyed && response.write('x'.repeat(4096)));
			};
			response.on('drain', more);
			more();
		});
		const { text } = await clientOf(['127.0.0.1']).request(`http://127.0.0.1:${port}/`);
		expect(text).toBe('x'.repeat(16 * 1024));
	});

	it('ends when there is no answer in time, or nobody waits for it any more', async () => {
		const { port } = await target(() => {});
		const url = `http://127.0.0.1:${port}/`;
		await expect(clientOf(['127.0.0.1']).request(url, { timeoutMs: 50 })).rejects.toThrow('no answer in time');
		const stopped = new AbortController();
		const asking = clientOf(['127.0.0.1']).request(url, { signal: stopped.signal });
		stopped.abort();
		await expect(asking).rejects.toThrow();
	});
});
