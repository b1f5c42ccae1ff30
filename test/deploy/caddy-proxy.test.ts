import { once } from 'node:events';
import { request } from 'node:https';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, type CaddyServer, startCaddy } from '@crowdvision/testing/caddy';
import { type Asked, startUpstream, type Upstream } from '@crowdvision/testing/upstream';
import { waitFor, within } from '@crowdvision/testing/wait';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

type Told = Asked & { name: string };

describe('a request through Caddy', () => {
	const NAMES = ['auth', 'twin', 'notification', 'llm', 'gateway', 'socket'];
	const MIB = 1024 * 1024;
	/** Long enough to be worth compressing. */
	const EVENT = `data: ${'1'.repeat(2000)}\n\n`;
	const upstreams = new Map<string, Upstream>();
	let caddy: CaddyServer;
	const told = (answer: Answer) => answer.json as Told;

	beforeAll(async () => {
		for (const name of NAMES) {
			upstreams.set(
				name,
				await startUpstream(name, (asked, response) => {
					if (asked.path === '/stream') {
						response.writeHead(200, { 'content-type': 'text/event-stream' });
						response.write(EVENT);
						once(response, 'continue-test').then(() => response.end('data: 2\n\n'));
						streams.push(() => response.emit('continue-test'));
						return;
					}
					if (asked.path === '/broken') return void response.destroy();
					if (asked.path === '/refused') {
						response.writeHead(422, { 'content-type': 'application/json' });
						return void response.end('{"error":{"code":"invalid","message":"no"}}');
					}
					response
						.setHeader('content-type', 'application/json')
						.end(JSON.stringify({ name, ...asked, padding: ' '.repeat(2000) }));
				}),
			);
		}
		caddy = await startCaddy(
			Object.fromEntries([...upstreams].map(([name, { address }]) => [`${name.toUpperCase()}_UPSTREAM`, address])),
		);
	});
	afterAll(async () => {
		await caddy?.stop();
		for (const upstream of upstreams.values()) await upstream.kill();
	});
	const streams: (() => void)[] = [];
	const ask: CaddyServer['ask'] = (...request) => caddy.ask(...request);

	it.each([
		['/auth/login?a=b', 'auth', '/login?a=b'],
		['/twin/buildings/a%2Fb', 'twin', '/buildings/a%2Fb'],
		['/twin/metrics', 'twin', '/metrics'],
		['/notification/alerts', 'notification', '/alerts'],
		['/llm/ask', 'llm', '/ask'],
		['/gateway/devices', 'gateway', '/devices'],
		['/socket.io/?EIO=4', 'socket', '/socket.io/?EIO=4'],
		['/ingest', 'gateway', '/ingest'],
		['/ingest/socket.io/?EIO=4', 'gateway', '/ingest/socket.io/?EIO=4'],
		['/mqtt', 'gateway', '/mqtt'],
	])('goes from %s to %s as %s', async (path, name, inside) => {
		expect(told(await ask('GET', path))).toMatchObject({ name, path: inside, method: 'GET' });
	});

	it('keeps the method, body, host, cookies and authorization that the client sent', async () => {
		const headers = { authorization: 'Bearer x', cookie: 'a=b', 'content-type': 'application/json' };
		const answer = told(await ask('PUT', '/twin/buildings/1/columns', { headers, body: '{"columns":[]}' }));
		expect(answer).toMatchObject({
			method: 'PUT',
			body: '{"columns":[]}',
			headers: { ...headers, host: new URL(caddy.url).host },
		});
	});

	it("carries the client's real address, whatever the client claims", async () => {
		const { headers } = told(
			await ask('GET', '/auth/me', {
				headers: { 'x-forwarded-for': '192.0.2.1, 10.0.0.1', 'x-forwarded-proto': 'http' },
			}),
		);
		expect(headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https' });
	});

	it("gets the services' refusals back unchanged", async () => {
		expect(await ask('GET', '/twin/refused')).toMatchObject({
			status: 422,
			json: { error: { code: 'invalid', message: 'no' } },
		});
	});

	it('is answered compressed, except where the answer holds a token', async () => {
		const headers = { 'accept-encoding': 'gzip' };
		expect((await ask('GET', '/twin/buildings', { headers })).headers['content-encoding']).toBe('gzip');
		expect((await ask('GET', '/auth/me', { headers })).headers['content-encoding']).toBeUndefined();
	});

	it('gets a stream of events one by one', async () => {
		const pieces: string[] = [];
		const whole = ask('GET', '/llm/stream', {
			headers: { 'accept-encoding': 'zstd, gzip' },
			onData: (piece) => pieces.push(piece),
		});
		await waitFor('the first event', () => pieces.length > 0);
		expect(pieces.join('')).toBe(EVENT);
		streams.pop()!();
		expect(await whole).toMatchObject({
			text: `${EVENT}data: 2\n\n`,
			headers: { 'content-type': 'text/event-stream' },
		});
	});

	it('may carry at most 1 MiB, with or without a declared length', async () => {
		const gateway = upstreams.get('gateway')!;
		for (const chunked of [false, true]) {
			const whole = await ask('POST', '/ingest', { body: Buffer.alloc(MIB, 'a'), chunked });
			expect(told(whole).body.length).toBe(MIB);
			const before = gateway.asked.length;
			const refused = await ask('POST', '/ingest', { body: Buffer.alloc(MIB + 1, 'a'), chunked });
			expect(refused).toMatchObject({ status: 413, json: { error: { code: 'too_large' } } });
			expect(gateway.asked.slice(before)).toEqual([]);
		}
	});

	it.each(['/socket.io/?EIO=4&transport=websocket', '/ingest/socket.io/?EIO=4&transport=websocket', '/mqtt'])(
		'becomes a WebSocket at %s',
		async (path) => {
			const upstream = upstreams.get(path.startsWith('/socket.io') ? 'socket' : 'gateway')!;
			const upgraded: Socket[] = [];
			upstream.server.once('upgrade', (asked, socket: Socket) => {
				upgraded.push(socket);
				socket.write(
					'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
						`X-Path: ${asked.url}\r\n\r\n`,
				);
				socket.on('data', (data) => socket.write(`echo ${data}`));
			});
			const { hostname, port } = new URL(caddy.url);
			const headers = {
				connection: 'Upgrade',
				upgrade: 'websocket',
				'sec-websocket-version': '13',
				'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
			};
			const sent = request({ hostname, port, path, ca: caddy.ca, agent: false, headers }).end();
			const [response, socket] = (await within('the upgrade', once(sent, 'upgrade'))) as [
				{ headers: Record<string, string> },
				Socket,
			];
			expect(response.headers['x-path']).toBe(path);
			socket.write('hello');
			expect(`${(await within('the echo', once(socket, 'data')))[0]}`).toBe('echo hello');
			socket.destroy();
			for (const one of upgraded) one.destroy();
		},
	);

	it('gets 503 with Retry-After while the service is away, and an answer when it is back', async () => {
		const twin = upstreams.get('twin')!;
		await twin.kill();
		expect(await ask('POST', '/twin/buildings', { body: '{}' })).toMatchObject({
			status: 503,
			headers: { 'retry-after': '2', 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
			json: { error: { code: 'unavailable', message: expect.any(String) } },
		});
		// Asked for while it is away, answered when it is there: a restart is a pause, not a failure.
		const patient = ask('GET', '/twin/buildings');
		await sleep(300);
		await twin.restart();
		expect((await patient).status).toBe(200);
	});

	it('is not repeated after the service broke off with it in hand', async () => {
		const notification = upstreams.get('notification')!;
		const before = notification.asked.length;
		expect(await ask('POST', '/notification/broken', { body: '{}' })).toMatchObject({
			status: 503,
			json: { error: { code: 'unavailable' } },
		});
		expect(notification.asked.slice(before)).toHaveLength(1);
	});
});

describe('replicas behind Caddy', () => {
	let replicas: Upstream[];
	let caddy: CaddyServer;

	beforeEach(async () => {
		replicas = [await startUpstream('one'), await startUpstream('two'), await startUpstream('three')];
		const addresses = replicas.map(({ address }) => address).join(' ');
		caddy = await startCaddy({
			NOTIFICATION_UPSTREAM: addresses,
			SOCKET_UPSTREAM: addresses,
			GATEWAY_UPSTREAM: addresses,
		});
	});
	afterEach(async () => {
		await caddy?.stop();
		for (const replica of replicas) await replica.kill();
	});
	const nameOf = (answer: Answer) => (answer.json as Told).name;
	/** One after the other, so that each may go elsewhere. */
	async function names(count: number, ask: () => Promise<Answer>): Promise<Set<string>> {
		const found = new Set<string>();
		for (let i = 0; i < count; i++) found.add(nameOf(await ask()));
		return found;
	}

	it('share the requests', async () => {
		expect((await names(60, () => caddy.ask('GET', '/notification/alerts'))).size).toBe(3);
	});

	it('lose no request when two of them die', async () => {
		await replicas[0]!.kill();
		await replicas[2]!.kill();
		expect(await names(10, () => caddy.ask('GET', '/notification/alerts'))).toEqual(new Set(['two']));
		// Caddy 2.6 cannot send a body again: it says so, until it knows who is dead.
		const post = () => caddy.ask('POST', '/notification/trigger', { body: '{}' });
		const answers = [];
		for (let i = 0; i < 20; i++) answers.push(await post());
		for (const answer of answers)
			if (answer.status !== 200) expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
		expect(answers.filter(({ status }) => status === 200)).toHaveLength(
			replicas[1]!.asked.filter(({ method }) => method === 'POST').length,
		);
		await waitFor('the dead to be known', async () =>
			(await Promise.all(Array.from({ length: 20 }, post))).every(({ status }) => status === 200),
		);
		expect(await names(20, post)).toEqual(new Set(['two']));
		await replicas[0]!.restart();
		await waitFor('the one that is back to be used', async () => nameOf(await post()) === 'one');
	});

	it('keep a polling session on its replica, and move it when that replica dies', async () => {
		const first = await caddy.ask('GET', '/socket.io/?EIO=4&transport=polling');
		const cookie = first.headers['set-cookie']!.map((one) => one.split(';', 1)[0]).join('; ');
		const poll = () => caddy.ask('GET', '/socket.io/?EIO=4&transport=polling&sid=x', { headers: { cookie } });
		expect(await names(30, poll)).toEqual(new Set([nameOf(first)]));
		await replicas.find(({ name }) => name === nameOf(first))!.kill();
		const elsewhere = nameOf(await poll());
		expect(elsewhere).not.toBe(nameOf(first));
	});

	it('spread new dashboard sessions', async () => {
		expect((await names(60, () => caddy.ask('GET', '/socket.io/?EIO=4&transport=polling'))).size).toBe(3);
	});

	it('keep a sensor with the gateway that knows its earlier readings', async () => {
		expect((await names(30, () => caddy.ask('POST', '/ingest', { body: '{}' }))).size).toBe(1);
	});
});
