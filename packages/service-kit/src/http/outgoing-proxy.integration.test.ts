import { createServer } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { goesThroughProxy, useOutgoingProxy } from './outgoing-proxy.ts';
import { closeServer, listen } from './server.ts';

describe('P14 requests to others', () => {
	it('go through the proxy of HTTP_PROXY, except to this machine and the hosts of NO_PROXY', async () => {
		const asked: string[] = [];
		const own = createServer((_request, response) => response.end('an answer'));
		const ownPort = await listen(own, 0, '127.0.0.1');
		// Wherever it is asked to connect to, it connects to the server above.
		const proxy = createServer().on('connect', (request, socket) => {
			asked.push(request.url ?? '');
			const tunnel = connect(ownPort, '127.0.0.1', () => {
				socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
				tunnel.pipe(socket).pipe(tunnel);
			});
			tunnel.on('error', () => socket.destroy());
			socket.on('error', () => tunnel.destroy());
		});
		const port = await listen(proxy, 0, '127.0.0.1');
		onTestFinished(() => closeServer(own, 0));
		onTestFinished(() => closeServer(proxy, 0));
		onTestFinished(useOutgoingProxy({ http_proxy: `http://127.0.0.1:${port}`, NO_PROXY: 'inner.invalid' }));
		const text = async (url: string) => (await fetch(url, { signal: AbortSignal.timeout(10_000) })).text();
		expect(await text('http://provider.invalid/keys')).toBe('an answer');
		expect(asked).toEqual(['provider.invalid:80']);
		expect(await text(`http://127.0.0.1:${ownPort}/`)).toBe('an answer');
		await expect(text('http://inner.invalid/')).rejects.toThrow();
		expect(asked).toHaveLength(1);
	});

	it.each([
		['https://provider.example', { HTTPS_PROXY: 'http://proxy:3128' }, true],
		['http://provider.example', { HTTPS_PROXY: 'http://proxy:3128' }, false],
		['https://provider.example', { https_proxy: 'http://proxy:3128', no_proxy: 'provider.example' }, false],
		['https://a.provider.example', { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: '.provider.example' }, false],
		['https://provider.example', { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: '*' }, false],
		['https://localhost:8443', { HTTPS_PROXY: 'http://proxy:3128' }, false],
		['https://provider.example', {}, false],
	])('to %s with %j: through a proxy %s', (url, env, through) => {
		expect(goesThroughProxy(new URL(url), env)).toBe(through);
	});
});
