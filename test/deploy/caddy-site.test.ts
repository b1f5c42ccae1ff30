import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CaddyServer, findCaddy, startCaddy } from '@crowdvision/testing/caddy';
import { ROOT } from '@crowdvision/testing/root';
import { startUpstream, type Upstream } from '@crowdvision/testing/upstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const PAGE = '<!doctype html><title>CrowdVision</title>'.padEnd(2000, ' ');
const PREFIXES = ['auth', 'twin', 'notification', 'llm', 'gateway'];

describe('the site that Caddy serves', () => {
	let dir: string;
	let caddy: CaddyServer;
	let upstream: Upstream;

	beforeAll(async () => {
		dir = await mkdtemp(join(tmpdir(), 'crowdvision-site-'));
		const file = async (path: string, content: string) => {
			await mkdir(join(dir, path, '..'), { recursive: true });
			await writeFile(join(dir, path), content);
		};
		await file('page/index.html', PAGE);
		await file('page/assets/index-B4sH_x-9.js', `console.log(${JSON.stringify('x'.repeat(2000))})`);
		await file('docs/index.html', '<!doctype html><title>API</title>');
		await file('docs/openapi.json', '{"openapi":"3.1.0"}');
		upstream = await startUpstream('any');
		const upstreams = Object.fromEntries(
			[...PREFIXES, 'socket'].map((name) => [`${name.toUpperCase()}_UPSTREAM`, upstream.address]),
		);
		caddy = await startCaddy({ ...upstreams, DASHBOARD: join(dir, 'page'), API_DOCS: join(dir, 'docs') });
	});
	afterAll(async () => {
		await caddy?.stop();
		await upstream?.kill();
		await rm(dir, { recursive: true, force: true });
	});

	it('is described by a valid Caddyfile, written as caddy fmt writes it', () => {
		const run = (...args: string[]) =>
			spawnSync(findCaddy()!, args, { cwd: ROOT, encoding: 'utf8', env: { ...process.env, XDG_DATA_HOME: dir } });
		expect(run('validate', '--config', 'Caddyfile', '--adapter', 'caddyfile')).toMatchObject({ status: 0 });
		expect(run('adapt', '--config', 'Caddyfile', '--adapter', 'caddyfile').stderr).not.toMatch(/warn|deprecated/i);
		expect(run('fmt', 'Caddyfile')).toMatchObject({
			status: 0,
			stdout: expect.stringContaining('handle_path /twin/*'),
		});
	});

	it('speaks TLS only, and redirects plain HTTP to it with the path', async () => {
		const answer = await fetch(`${caddy.httpUrl}/twin/buildings?a=b`, { redirect: 'manual' });
		expect(answer.status).toBe(308);
		expect(answer.headers.get('location')).toBe(`${caddy.url}/twin/buildings?a=b`);
		expect(upstream.asked).toEqual([]);
	});

	it('serves the page uncached and its versioned files cached for good', async () => {
		const page = await caddy.ask('GET', '/');
		expect(page).toMatchObject({
			status: 200,
			text: PAGE,
			headers: { 'cache-control': 'no-cache', 'content-type': 'text/html; charset=utf-8' },
		});
		const again = await caddy.ask('GET', '/', { headers: { 'if-none-match': page.headers.etag! } });
		expect(again.status).toBe(304);
		const script = await caddy.ask('GET', '/assets/index-B4sH_x-9.js');
		expect(script).toMatchObject({ status: 200, headers: { 'cache-control': 'public, max-age=31536000, immutable' } });
	});

	it('compresses text', async () => {
		for (const encoding of ['zstd', 'gzip']) {
			const { headers } = await caddy.ask('GET', '/assets/index-B4sH_x-9.js', {
				headers: { 'accept-encoding': encoding },
			});
			expect(headers['content-encoding']).toBe(encoding);
		}
	});

	it('answers 404 in the shape of every error for a missing file, uncached', async () => {
		for (const path of [
			'/rooms/hall',
			'/assets/',
			'/assets/index-AAAAAAAA.js',
			'/%2e%2e/package.json',
			'/../Caddyfile',
			'/auth',
			'/metrics',
		]) {
			const answer = await caddy.ask('GET', path);
			expect(answer, path).toMatchObject({
				status: 404,
				headers: { 'cache-control': 'no-store', 'content-type': 'application/json; charset=utf-8' },
				json: { error: { code: 'not_found', message: expect.any(String) } },
			});
		}
		const posted = await caddy.ask('POST', '/', { body: '{}' });
		expect(posted).toMatchObject({
			status: 405,
			headers: { allow: expect.stringContaining('GET') },
			json: { error: { code: 'method_not_allowed' } },
		});
	});

	it("sends the security headers with every answer, and hides the server's name", async () => {
		for (const path of ['/', '/no-such-file', '/twin/buildings', '/docs/']) {
			const { headers } = await caddy.ask('GET', path);
			expect(headers, path).toMatchObject({
				'content-security-policy':
					"default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; " +
					"frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
				'x-content-type-options': 'nosniff',
				'referrer-policy': 'no-referrer',
				'strict-transport-security': 'max-age=300',
			});
			expect(headers.server, path).toBeUndefined();
		}
	});

	it('serves the API documents below /docs', async () => {
		expect(await caddy.ask('GET', '/docs')).toMatchObject({ status: 308, headers: { location: 'docs/' } });
		expect((await caddy.ask('GET', '/docs/')).text).toContain('<title>API</title>');
		expect((await caddy.ask('GET', '/docs/openapi.json')).json).toEqual({ openapi: '3.1.0' });
		expect((await caddy.ask('GET', '/docs/no')).json).toMatchObject({ error: { code: 'not_found' } });
	});

	it("hides the services' probes and metrics from outside, in any spelling", async () => {
		const before = upstream.asked.length;
		for (const prefix of PREFIXES) {
			for (const probe of ['healthz', 'readyz', ...(prefix === 'twin' ? [] : ['metrics'])]) {
				for (const path of [
					`/${prefix}/${probe}`,
					`/${prefix}/${probe}/`,
					`/${prefix}/${probe.toUpperCase()}`,
					`/${prefix}/${probe}?x`,
				]) {
					expect((await caddy.ask('GET', path)).status, path).toBe(404);
				}
				for (const path of [
					`/${prefix}//${probe}`,
					`//${prefix}/${probe}`,
					`/${prefix}/%${probe.charCodeAt(0).toString(16)}${probe.slice(1)}`,
				]) {
					expect((await caddy.ask('GET', path)).status, path).toBe(404);
				}
			}
		}
		for (const path of ['/healthz', '/readyz', '/metrics', '/socket.io/../healthz', '/ingest/../metrics']) {
			expect((await caddy.ask('GET', path)).status, path).toBe(404);
		}
		expect(upstream.asked.slice(before)).toEqual([]);
	});
});
