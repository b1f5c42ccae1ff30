import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Chromium, launchChromium } from '@crowdvision/testing/chromium';
import { FRONT_PROXIES, type FrontProxy, startFrontProxy, whyNoProxy } from '@crowdvision/testing/front-proxies';
import { freePort } from '@crowdvision/testing/ports';
import { ROOT } from '@crowdvision/testing/root';
import type { ServerInFolder } from '@crowdvision/testing/server-in-folder';
import { type MailServer, startMailServer } from '@crowdvision/testing/smtp';
import { waitFor } from '@crowdvision/testing/wait';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { VIEWS, type View } from '../../frontend/src/lib/app/route.ts';
import { ODD_CLIENT, startOddProvider } from '../../services/auth/src/testing/odd-provider.ts';
import { type Standalone, startStandalone } from '../e2e/standalone.ts';
import { EMAIL, PASSWORD } from '../e2e/world.ts';

/** The code blocks of docs/behind-a-proxy.md, by language. */
const BLOCKS = new Map(
	[...readFileSync(join(ROOT, 'docs', 'behind-a-proxy.md'), 'utf8').matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(
		([, language, block]) => [language!, block!] as const,
	),
);
const LANGUAGES: Record<FrontProxy, string> = { caddy: 'caddyfile', nginx: 'nginx', apache: 'apache' };

/** What is waited for in each view of the page; a new view has to say it too. */
const SHOWN: Record<View, { query: string; shows: string }> = {
	rooms: { query: '?building=demo', shows: '[data-testid="room"]' },
	room: { query: '?building=demo&view=room&room=studio', shows: 'h1' },
	add: { query: '?building=demo&view=add', shows: 'textarea' },
	account: { query: '?view=account', shows: '[data-testid="session"]' },
	members: { query: '?view=members', shows: '[data-testid="member"]' },
};

/** Files that the page or a browser asks for by name; a new one joins here. */
const FILES = ['favicon.svg', 'manifest.webmanifest', 'third-party-notices.txt', 'docs/', 'docs/openapi.json'];

let standalone: Standalone;
let mail: MailServer;
let chromium: Chromium;
let publicPort: number;
const proxies: ServerInFolder[] = [];

beforeAll(async () => {
	publicPort = await freePort();
	mail = await startMailServer();
	standalone = await startStandalone({
		PUBLIC_URL: `http://127.0.0.1:${publicPort}/crowd`,
		SMTP_URL: mail.url,
		MAIL_FROM: 'crowd@example.org',
		SSO_REACH: 'loopback',
	});
	chromium = await launchChromium({ width: 1366, height: 768 });
}, 120_000);
afterAll(async () => {
	await chromium?.close();
	await standalone?.stop();
	await mail?.stop();
});
afterEach(async () => {
	await chromium.context.clearCookies();
	// The first page belongs to the browser, which would end without one.
	for (const page of chromium.context.pages().slice(1)) await page.close();
	for (const proxy of proxies.splice(0)) await proxy.stop();
});

/** Starts a proxy in front of the whole; resolves with the address of the page behind it. */
async function serve(proxy: FrontProxy, site: string, path = '/crowd/'): Promise<string> {
	const port = proxy === 'caddy' ? publicPort : await freePort();
	proxies.push(await startFrontProxy(proxy, site, { upstream: new URL(standalone.http).host, port }));
	return `http://127.0.0.1:${port}${path}`;
}

/** Signs in on the page; resolves when it shows rooms and values arrive. */
async function signIn(page: Page, url: string): Promise<void> {
	await page.goto(url);
	await page.getByLabel(/e-?mail/i).fill(EMAIL);
	await page.getByLabel(/password/i).fill(PASSWORD);
	await page
		.getByTestId('sign-in')
		.getByRole('button', { name: /sign in/i })
		.click();
	await page.locator('[data-testid="connection"][data-state="live"]').waitFor();
}

/** Collects what a page asks outside `base`, and what it is refused. */
function watch(page: Page, base: string): { outside: string[]; refused: string[] } {
	const seen = { outside: [] as string[], refused: [] as string[] };
	const note = (url: string) => {
		if (!url.startsWith(base) && !url.startsWith(base.replace('http', 'ws'))) seen.outside.push(url);
	};
	page.on('request', (request) => note(request.url()));
	page.on('websocket', (socket) => note(socket.url()));
	page.on('response', (response) => {
		if (response.status() >= 400 && response.status() !== 401)
			seen.refused.push(`${response.status()} ${response.url()}`);
	});
	return seen;
}

describe('P14 below a path of a proxy', () => {
	for (const proxy of FRONT_PROXIES) {
		const why = whyNoProxy(proxy);
		describe.skipIf(why)(`${proxy}, as the documentation has it${why ? `: ${why}` : ''}`, () => {
			it('every page, file and live update works, and nothing is asked outside the path', async () => {
				const base = await serve(proxy, BLOCKS.get(LANGUAGES[proxy])!);
				const page = await chromium.context.newPage();
				const seen = watch(page, base);
				const sockets: string[] = [];
				page.on('websocket', (socket) => sockets.push(socket.url()));
				await signIn(page, base);
				expect(sockets.join()).toContain('/crowd/socket.io/');
				for (const view of VIEWS) {
					await page.goto(base + SHOWN[view].query);
					await page.locator(SHOWN[view].shows).first().waitFor();
				}
				for (const file of FILES) expect((await fetch(base + file)).status, file).toBe(200);
				expect(seen).toEqual({ outside: [], refused: [] });
			});

			it('leads to the page and the API documents when the slash at the end is missing', async () => {
				const base = await serve(proxy, BLOCKS.get(LANGUAGES[proxy])!);
				for (const path of ['', 'docs/']) {
					const answer = await fetch((base + path).replace(/\/$/, ''));
					expect([answer.status, answer.url], path).toEqual([200, base + path]);
				}
			});

			it('takes readings, and tells names with a slash apart from paths', async () => {
				const base = await serve(proxy, BLOCKS.get(LANGUAGES[proxy])!);
				const line = standalone.examples.http!.replaceAll(standalone.http, base.replace(/\/$/, ''));
				expect(await standalone.paste(line)).toBe('{"accepted":1}');
				const missing = await fetch(`${base}auth/sso/acme%2Flab`, { redirect: 'manual' });
				expect([missing.status, await missing.text()]).toEqual([404, expect.stringContaining('identity provider')]);
			});
		});
	}
});

const server = (locations: string) => `server {\n\tlisten 80;\n${locations}\n}\n`;
const whyNoNginx = whyNoProxy('nginx');

describe.skipIf(whyNoNginx)(`P14 behind a proxy that says little${whyNoNginx ? `: ${whyNoNginx}` : ''}`, () => {
	it('the page is live below a path, though the proxy hides the Host and upgrades nothing', async () => {
		const base = await serve('nginx', server('location /crowd/ { proxy_pass http://127.0.0.1:8080/; }'));
		const page = await chromium.context.newPage();
		const seen = watch(page, base);
		await signIn(page, base);
		expect(seen.outside).toEqual([]);
	});

	it('the page is live, though only X-Forwarded-Host has the name', async () => {
		const headers = ['Host $http_host', 'Proto $scheme', 'For $remote_addr'].map(
			(header) => `proxy_set_header X-Forwarded-${header};`,
		);
		const base = await serve(
			'nginx',
			server(`location / { proxy_pass http://127.0.0.1:8080; ${headers.join(' ')} }`),
			'/',
		);
		const page = await chromium.context.newPage();
		await signIn(page, base);
	});

	it('the page says why it is not live, and what to do, where the proxy keeps that for itself', async () => {
		const locations =
			'location /crowd/ { proxy_pass http://127.0.0.1:8080/; }\n' + 'location /crowd/socket.io/ { return 404; }';
		const base = await serve('nginx', server(locations));
		const page = await chromium.context.newPage();
		await page.goto(base);
		await page.getByLabel(/e-?mail/i).fill(EMAIL);
		await page.getByLabel(/password/i).fill(PASSWORD);
		await page
			.getByTestId('sign-in')
			.getByRole('button', { name: /sign in/i })
			.click();
		const note = page.getByTestId('live-blocked');
		await note.waitFor();
		expect(await note.textContent()).toContain('does not pass on /crowd/socket.io/');
	});
});

const whyNoCaddy = whyNoProxy('caddy');
describe.skipIf(whyNoCaddy)(`P14 with PUBLIC_URL${whyNoCaddy ? `: ${whyNoCaddy}` : ''}`, () => {
	it('the session cookie is for the path only, and is gone after signing out', async () => {
		const base = await serve('caddy', BLOCKS.get('caddyfile')!);
		const page = await chromium.context.newPage();
		await signIn(page, base);
		const cookies = await chromium.context.cookies(base);
		expect(cookies.map(({ name, path }) => [name.replace(/-[0-9a-f]{8}/, ''), path])).toEqual([
			['crowdvision_session', '/crowd/'],
		]);
		const context = page.context().request;
		expect((await context.post(`${base}auth/logout`)).status()).toBe(204);
		expect(await chromium.context.cookies(base)).toEqual([]);
	});

	it('links in e-mails and those that an admin hands over lead below the path, and open there', async () => {
		const base = await serve('caddy', BLOCKS.get('caddyfile')!);
		const post = (path: string, body: object, token?: string) =>
			fetch(base + path, {
				method: 'POST',
				headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
				body: JSON.stringify(body),
			});
		expect((await post('auth/password/forgotten', { email: EMAIL })).status).toBe(202);
		await waitFor('the e-mail', () => mail.mails.length > 0);
		const mailed = /http\S+#reset=\S+/.exec(mail.mails[0]!.text)?.[0];
		const bob = { email: 'bob@example.org', password: 'correct horse', name: 'Bob' };
		const { token, account } = (await (await post('auth/register', bob)).json()) as {
			token: string;
			account: { id: string };
		};
		await standalone.call('PATCH', '/auth/domains/demo', { public: true });
		expect((await post('auth/domains/demo/join', {}, token)).status).toBe(200);
		const handed = await standalone.call<{ url: string }>(
			'POST',
			`/auth/domains/demo/members/${account.id}/password-reset`,
		);
		for (const link of [mailed, handed.url]) {
			expect(link?.startsWith(`${base}#reset=`), link).toBe(true);
			const page = await chromium.context.newPage();
			await page.goto(link!);
			await page.getByTestId('reset').waitFor();
			await page.close();
		}
	});

	it('an identity provider sends people back below the path, signed in there', async () => {
		const base = await serve('caddy', BLOCKS.get('caddyfile')!);
		const provider = await startOddProvider();
		onTestFinished(() => provider.close());
		provider.odd = { claims: { sub: 'eva', email: 'eva@example.org', email_verified: true, name: 'Eva Neri' } };
		await standalone.call('PUT', '/auth/domains/demo/sso', { ...ODD_CLIENT, issuer: provider.url });
		const page = await chromium.context.newPage();
		const asked: string[] = [];
		page.on('request', (request) => asked.push(request.url()));
		await page.goto(`${base}auth/sso/demo`);
		await page.getByTestId('menu').waitFor();
		expect(page.url()).toBe(base);
		const [sent] = asked.filter((url) => url.startsWith(`${provider.url}/authorize`));
		expect(new URL(sent!).searchParams.get('redirect_uri')).toBe(`${base}auth/sso/callback`);
	});

	it('the link that exports a history leads below the path', async () => {
		const base = await serve('caddy', BLOCKS.get('caddyfile')!);
		const page = await chromium.context.newPage();
		await signIn(page, base);
		await page.goto(`${base}?building=demo&view=room&room=hall`);
		const href = new URL((await page.getByTestId('export').getAttribute('href'))!, page.url()).href;
		expect(href.startsWith(base), href).toBe(true);
		const answer = await page.context().request.get(href);
		expect([answer.status(), answer.headers()['content-type']]).toEqual([200, expect.stringContaining('text/csv')]);
	});

	it('the manifest of the installed page names addresses below the path only', async () => {
		const base = await serve('caddy', BLOCKS.get('caddyfile')!);
		const url = `${base}manifest.webmanifest`;
		const { start_url, scope, icons } = (await (await fetch(url)).json()) as {
			start_url: string;
			scope: string;
			icons: { src: string }[];
		};
		for (const named of [start_url, scope, ...icons.map(({ src }) => src)])
			expect(new URL(named, url).href.startsWith(base), named).toBe(true);
		for (const { src } of icons) expect((await fetch(new URL(src, url))).status, src).toBe(200);
	});
});
