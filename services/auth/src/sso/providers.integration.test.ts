import { createServer } from 'node:http';
import { closeServer, createApp, finishApp, listen, sessionTokens } from '@crowdvision/service-kit';
import { openServiceWorld, type ServiceWorld } from '@crowdvision/testing/service-world';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Auth, createAuth } from '../index.ts';
import { Browser } from '../testing/identity-provider.ts';
import { ODD_CLIENT, type OddProvider, startOddProvider } from '../testing/odd-provider.ts';

let world: ServiceWorld;
let auth: Auth;
let site: string;
let provider: OddProvider;
let token = '';
const close: (() => Promise<void>)[] = [];

beforeAll(async () => {
	world = await openServiceWorld();
	auth = await createAuth(world.parts, { SSO_REACH: 'loopback' });
	const app = createApp(world.parts.site);
	app.use('/auth', auth.router);
	finishApp(app, world.parts.logger);
	const server = createServer(app);
	site = `http://127.0.0.1:${await listen(server, 0, '127.0.0.1')}`;
	provider = await startOddProvider();
	close.push(
		() => provider.close(),
		() => closeServer(server, 500),
		() => auth.stop(),
		() => world.stop(),
	);
	const account = { email: 'ada@example.org', password: 'correct horse', name: 'Ada' };
	({ token } = (await call('POST', '/register', account)) as { token: string });
	await call('POST', '/domains', { name: 'museum' });
});
afterAll(async () => {
	for (const closePart of close) await closePart();
});
beforeEach(async () => {
	provider.odd = {};
	await configure({});
});

async function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
	const response = await fetch(`${site}/auth${path}`, {
		method,
		headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
		...(body && { body: JSON.stringify(body) }),
	});
	return { status: response.status, ...((await response.json().catch(() => ({}))) as object) };
}
const configure = (changed: object) =>
	call('PUT', '/domains/museum/sso', { issuer: provider.url, ...ODD_CLIENT, ...changed });

/** Signs in as a browser does; resolves with `signed in`, or the refusal's code and message. */
async function signIn(): Promise<string> {
	const browser = new Browser();
	const begun = await browser.request(`${site}/auth/sso/museum`);
	if (begun.status !== 302) return refusalIn(begun.text);
	const { location } = await browser.request(begun.location!);
	const { status, text, headers } = await browser.request(location!);
	if (status !== 302) return refusalIn(text);
	const cookie = headers
		.getSetCookie()
		.map((one) => one.split(';')[0])
		.join('; ');
	await world.parts.tokens.verifyAccount(sessionTokens({ headers: { cookie } })[0]!);
	return 'signed in';
}
function refusalIn(text: string): string {
	const { code, message } = (JSON.parse(text) as { error: { code: string; message: string } }).error;
	return `${code}: ${message}`;
}

describe('P14 sign-in through real providers', () => {
	it.each([
		['true', true, /^signed in$/],
		['the text "true", as some providers send it', 'true', /^signed in$/],
		['missing', undefined, /^forbidden: .*\(email_verified\)$/],
		['false', false, /^forbidden: .*\(email_verified\)$/],
		['the text "false"', 'false', /^forbidden: .*\(email_verified\)$/],
		['a number', 1, /^forbidden: .*\(email_verified\)$/],
	])('admits an e-mail domain only where email_verified says so: %s', async (_what, verified, outcome) => {
		await configure({ emailDomains: ['example.org'] });
		provider.odd = {
			claims: { email: 'ada@Example.org', ...(verified !== undefined && { email_verified: verified }) },
		};
		expect(await signIn()).toMatch(outcome);
	});

	it('takes the e-mail address from the userinfo endpoint where the ID token has none', async () => {
		await configure({ emailDomains: ['example.org'] });
		provider.odd = { userinfo: { email: 'ada@example.org', email_verified: true } };
		expect(await signIn()).toBe('signed in');
		provider.odd = { userinfo: { email: 'ada@elsewhere.example', email_verified: true } };
		expect(await signIn()).toMatch(/^forbidden: Only verified e-mail addresses of certain domains/);
	});

	it.each([
		['it lists only that', ['client_secret_post']],
		['it lists both', ['client_secret_basic', 'client_secret_post']],
		['it lists none', undefined],
	])('sends the secret in the body to a provider that takes it there only: %s', async (_what, stated) => {
		provider.odd = { takes: 'client_secret_post', ...(stated && { stated }) };
		expect(await signIn()).toBe('signed in');
	});

	it.each([90, -90])('bears a provider whose clock is %s s off', async (clockAhead) => {
		provider.odd = { clockAhead };
		expect(await signIn()).toBe('signed in');
	});

	it('says that clocks differ where they do by an hour', async () => {
		provider.odd = { clockAhead: 3600 };
		expect(await signIn()).toMatch(/^unauthenticated: .*clock.* differ by more than two minutes$/);
	});

	it.each([
		['too many', '{url}/realm', '/realm/'],
		['too few', '{url}/realm/', '/realm'],
	])('tells the true reason when the issuer has a slash %s', async (_what, issuer, end) => {
		provider.odd = { issuer };
		const own = issuer.replace('{url}', provider.url);
		expect(await configure({ issuer: `${provider.url}${end}` })).toMatchObject({
			status: 422,
			error: { path: '/issuer', message: `/issuer must be ${own}, as the provider calls itself` },
		});
		// As one that was set before this was checked, or a provider that has changed since.
		provider.odd = { issuer: `{url}${end}` };
		await configure({ issuer: `${provider.url}${end}` });
		provider.odd = { issuer };
		expect(await signIn()).toMatch(`unavailable: The identity provider calls itself ${own}, but`);
	});

	it('refuses an issuer that is no URL', async () => {
		for (const issuer of ['https://[', 'https://]', 'https://%', 'https://a:99999', 'https://exa mple.org'])
			expect(await configure({ issuer }), issuer).toMatchObject({ status: 422, error: { path: '/issuer' } });
	});

	it('says that the client is not set up where the provider does not accept its secret', async () => {
		await configure({ clientSecret: 'wrong' });
		expect(await signIn()).toMatch(/^unauthenticated: .*does not accept the client id and secret of this domain$/);
	});
});

describe('P14 a refused sign-in through a provider', () => {
	const asBrowser = (path: string) =>
		fetch(`${site}/auth/sso/${path}`, { redirect: 'manual', headers: { accept: 'text/html,*/*;q=0.8' } });

	it.each([
		['callback', 'expired'],
		['callback?state=made-up&error=access_denied', 'expired'],
		['nowhere', 'noProvider'],
	])('leads a browser to the page, which has the reason in its language: %s', async (path, reason) => {
		const answer = await asBrowser(path);
		expect([answer.status, answer.headers.get('location')]).toEqual([302, `${site}/#sign-in=${reason}`]);
	});

	it('leads there too when the provider is away', async () => {
		await configure({ issuer: 'http://127.0.0.1:1' });
		expect((await asBrowser('museum')).headers.get('location')).toBe(`${site}/#sign-in=unreachable`);
	});

	it('is answered in JSON to a program', async () => {
		expect(await call('GET', '/sso/nowhere')).toMatchObject({ status: 404, error: { code: 'not_found' } });
	});
});

describe('P14 the button of a provider', () => {
	const find = async (typed: string) => (await call('GET', `/providers?for=${encodeURIComponent(typed)}`)).domains;

	it('is shown for the name of a domain or an e-mail address that it admits, and for nothing else', async () => {
		await configure({ emailDomains: ['example.org'] });
		expect(await find('museum')).toEqual(['museum']);
		expect(await find(' grace@Example.org ')).toEqual(['museum']);
		for (const typed of ['mus', 'Museum', '', '@', 'example.org', 'grace@example.com', '@@example.org.evil'])
			expect(await find(typed), typed).toEqual([]);
	});

	it('tells strangers no list of domains', async () => {
		expect(await call('GET', '/providers')).toMatchObject({ status: 422 });
	});
});
