import { createServer } from 'node:http';
import type { ErrorBody } from '@crowdvision/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import { createLogger } from '../logger.ts';
import { COMMON_SETTINGS, readSettings } from '../process/settings.ts';
import { siteOf } from '../service.ts';
import { createApp, finishApp } from './app.ts';
import { limitRequests } from './rate-limit.ts';
import { closeServer, listen } from './server.ts';

describe('the requests of one client', () => {
	let close: (() => Promise<void>) | undefined;
	afterEach(() => close?.());

	/**
	 * Starts a server that answers with the client's address. Resolves with a function that sends a request for a client.
	 */
	async function serve(options: {
		perMinute: number;
		TRUST_PROXY?: string;
	}): Promise<(forwardedFor?: string) => Promise<Response>> {
		const settings = readSettings(COMMON_SETTINGS, { TRUST_PROXY: options.TRUST_PROXY });
		const app = createApp(siteOf(settings));
		app.use(limitRequests(options.perMinute));
		app.get('/', (request, response) => void response.send(request.ip));
		finishApp(app, createLogger('test', 'silent'));
		const server = createServer(app);
		const port = await listen(server, 0, '127.0.0.1');
		close = () => closeServer(server, 0);
		return (forwardedFor) =>
			fetch(`http://127.0.0.1:${port}`, { headers: forwardedFor ? { 'x-forwarded-for': forwardedFor } : {} });
	}

	it('are refused beyond the limit, with the seconds to wait, while other clients are served', async () => {
		const ask = await serve({ perMinute: 3 });
		for (let i = 0; i < 3; i++) expect((await ask('192.0.2.1')).status).toBe(200);
		const refused = await ask('192.0.2.1');
		expect(refused.status).toBe(429);
		expect(((await refused.json()) as ErrorBody).error.code).toBe('rate_limited');
		const seconds = Number(refused.headers.get('retry-after'));
		expect(seconds).toBeGreaterThanOrEqual(1);
		expect(seconds).toBeLessThanOrEqual(60);
		expect((await ask('192.0.2.2')).status).toBe(200);
	});

	it('are those of a whole IPv6 network, since a client can use any of its addresses', async () => {
		const ask = await serve({ perMinute: 2 });
		const statuses = [];
		for (const host of ['1', '2', '3']) statuses.push((await ask(`2001:db8:0:1::${host}`)).status);
		expect(statuses).toEqual([200, 200, 429]);
		expect((await ask('2001:db8:1:1::1')).status).toBe(200);
	});

	it('are unlimited where the limit is 0', async () => {
		const ask = await serve({ perMinute: 0 });
		for (let i = 0; i < 20; i++) expect((await ask()).status).toBe(200);
	});

	it.each([
		['loopback, by default', undefined, '192.0.2.1', '192.0.2.1'],
		['only the part that the trusted proxy added', 'loopback', '10.9.9.9, 192.0.2.1', '192.0.2.1'],
		['through several trusted proxies', 'loopback,uniquelocal', '192.0.2.1, 10.0.0.7', '192.0.2.1'],
		['through trusted networks', '127.0.0.0/8, 192.0.2.0/24', '198.51.100.1, 192.0.2.1', '198.51.100.1'],
		['no proxy is trusted', 'none', '192.0.2.1', '127.0.0.1'],
		['another proxy is trusted', '10.0.0.0/8', '192.0.2.1', '127.0.0.1'],
	])('are recognized by the address that a trusted proxy reports: %s', async (_what, TRUST_PROXY, header, address) => {
		const ask = await serve({ perMinute: 0, ...(TRUST_PROXY && { TRUST_PROXY }) });
		expect(await (await ask(header)).text()).toBe(address);
	});

	it.each(['everyone', '10.0.0.0/33', '10.0.0', 'loopback,', '::1/129', '10.0.0.0/8/8', '*'])(
		'cannot be attributed by a TRUST_PROXY of %s, which is refused',
		(TRUST_PROXY) => {
			expect(() => readSettings(COMMON_SETTINGS, { TRUST_PROXY })).toThrow(/TRUST_PROXY is ".*", but must be none, or/);
		},
	);
});
