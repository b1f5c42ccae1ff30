import { createServer } from 'node:http';
import { closeServer, createApp, finishApp, listen, sessionTokens } from '@crowdvision/service-kit';
import { openServiceWorld, type ServiceWorld } from '@crowdvision/testing/service-world';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Auth, createAuth } from '../index.ts';
import { Browser, CLIENT, type IdentityProvider, startIdentityProvider } from '../testing/identity-provider.ts';

let world: ServiceWorld;
let auth: Auth;
let site: string;
let provider: IdentityProvider;
let browser: Browser;
let token: string;
let callback: string;
const close: (() => Promise<void>)[] = [];

beforeAll(async () => {
	world = await openServiceWorld();
	auth = await createAuth(world.parts, { SSO_REACH: 'loopback' });
	// Below /auth, as Caddy serves it.
	const app = createApp();
	app.use('/auth', auth.router);
	finishApp(app, world.parts.logger);
	const server = createServer(app);
	site = `http://127.0.0.1:${await listen(server, 0, '127.0.0.1')}`;
	callback = `${site}/auth/sso/callback`;
	provider = await startIdentityProvider(callback, {
		grace: { email: 'grace@example.org', email_verified: true },
		ada: { email: 'ada@example.org', email_verified: true },
		liar: { email: 'liar@example.org', email_verified: false },
	});
	close.push(
		() => provider.close(),
		() => closeServer(server, 500),
		() => auth.stop(),
		() => world.stop(),
	);
	({ token } = (await call('POST', '/register', {
		email: 'ada@example.org',
		password: 'correct horse',
		name: 'Ada',
	})) as { token: string });
	await call('POST', '/domains', { name: 'museum' });
	await configure({});
});
afterAll(async () => {
	for (const closePart of close) await closePart();
});
beforeEach(() => {
	browser = new Browser();
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
	call('PUT', '/domains/museum/sso', { issuer: provider.issuer, ...CLIENT, ...changed });
const begin = (to = '/rooms?floor=1') => `${site}/auth/sso/museum?to=${encodeURIComponent(to)}`;
const codeOf = (answer: { text: string }) => (JSON.parse(answer.text) as { error: { code: string } }).error.code;

/** The claims of the session that this answer starts. */
async function sessionOf(answer: { headers: Headers }) {
	const cookie = answer.headers
		.getSetCookie()
		.map((text) => text.split(';')[0])
		.join('; ');
	return world.parts.tokens.verifyAccount(sessionTokens({ headers: { cookie } })[0]!);
}

describe('sign-in through a provider', () => {
	it('sends PKCE S256, a nonce and a state of random characters to the provider', async () => {
		const { status, location } = await browser.request(begin());
		expect(status).toBe(302);
		const { searchParams } = new URL(location!);
		expect(Object.fromEntries(searchParams)).toMatchObject({
			code_challenge_method: 'S256',
			response_type: 'code',
			redirect_uri: callback,
		});
		expect(searchParams.get('code_challenge')).toMatch(/^[\w-]{43}$/);
		for (const name of ['state', 'nonce']) expect(searchParams.get(name)).toMatch(/^[\w-]{43}$/);
	});

	it('creates account and membership on the first sign-in, and returns to the page it started from', async () => {
		const first = await browser.request(await browser.signIn(begin(), 'grace', callback));
		expect([first.status, first.location]).toEqual([302, `${site}/rooms?floor=1`]);
		const claims = await sessionOf(first);
		expect(claims).toMatchObject({ memberships: [{ domainName: 'museum', role: 'standard_customer' }] });
		const again = await new Browser().signIn(begin(), 'grace', callback).catch(() => undefined);
		expect(again).toBeDefined();
		const second = await browser.request(await browser.signIn(begin(), 'grace', callback));
		expect((await sessionOf(second)).sub).toBe(claims.sub);
		// A removed member does not become one again by signing in.
		expect(await call('DELETE', `/domains/museum/members/${claims.sub}`)).toMatchObject({ status: 204 });
		const third = await browser.request(await browser.signIn(begin(), 'grace', callback));
		expect(await sessionOf(third)).toMatchObject({ sub: claims.sub, memberships: [] });
	});

	it('never gives access to a registered account, whatever verified address the provider states', async () => {
		const me = (await call('GET', '/me')) as { id: string };
		const claims = await sessionOf(await browser.request(await browser.signIn(begin(), 'ada', callback)));
		expect(claims.sub).not.toBe(me.id);
		expect(claims.memberships).toEqual([{ domainName: 'museum', role: 'standard_customer' }]);
	});

	it('accepts only verified addresses of the allowed e-mail domains where the domain lists some', async () => {
		await configure({ emailDomains: ['example.org'], clientSecret: undefined });
		expect((await browser.request(await browser.signIn(begin(), 'grace', callback))).status).toBe(302);
		const liar = new Browser();
		const answer = await liar.request(await liar.signIn(begin(), 'liar', callback));
		expect([answer.status, codeOf(answer)]).toEqual([403, 'forbidden']);
		await configure({});
	});

	it('refuses an unknown state and a missing one', async () => {
		const back = new URL(await browser.signIn(begin(), 'grace', callback));
		back.searchParams.set('state', 'x'.repeat(43));
		expect(codeOf(await browser.request(back.href))).toBe('bad_request');
		back.searchParams.delete('state');
		expect(codeOf(await browser.request(back.href))).toBe('bad_request');
	});

	it('refuses a state that was used before', async () => {
		const back = await browser.signIn(begin(), 'grace', callback);
		const cookies = await browser.request(back);
		expect(cookies.status).toBe(302);
		expect(codeOf(await browser.request(back))).toBe('bad_request');
	});

	it("refuses another browser's state, which that browser can still use", async () => {
		const back = await browser.signIn(begin(), 'grace', callback);
		const other = new Browser();
		await other.request(begin());
		expect(codeOf(await other.request(back))).toBe('bad_request');
		expect((await browser.request(back)).status).toBe(302);
	});

	it('refuses an altered code', async () => {
		const back = new URL(await browser.signIn(begin(), 'grace', callback));
		back.searchParams.set('code', `${back.searchParams.get('code')}x`);
		expect(codeOf(await browser.request(back.href))).toBe('unauthenticated');
	});

	it('refuses the code of another sign-in, because nonce and PKCE are bound to the state', async () => {
		const other = new Browser();
		const stolen = new URL(await other.signIn(begin(), 'ada', callback)).searchParams.get('code')!;
		const back = new URL(await browser.signIn(begin(), 'grace', callback));
		back.searchParams.set('code', stolen);
		expect(codeOf(await browser.request(back.href))).toBe('unauthenticated');
	});

	it('refuses an ID token with another nonce', async () => {
		const asked = new URL((await browser.request(begin())).location!);
		asked.searchParams.set('nonce', 'another');
		expect(codeOf(await browser.request(await browser.signIn(asked.href, 'grace', callback)))).toBe('unauthenticated');
	});

	it('refuses an answer that names another issuer', async () => {
		const back = new URL(await browser.signIn(begin(), 'grace', callback));
		back.searchParams.set('iss', 'https://evil.example');
		expect(codeOf(await browser.request(back.href))).toBe('unauthenticated');
	});

	it('answers `unauthenticated` when the provider refuses', async () => {
		const { state } = Object.fromEntries(new URL((await browser.request(begin())).location!).searchParams);
		const answer = await browser.request(
			`${callback}?error=access_denied&state=${state}&iss=${encodeURIComponent(provider.issuer)}`,
		);
		expect(codeOf(answer)).toBe('unauthenticated');
	});

	it.each(['https://evil.example', '//evil.example', '/\\evil.example', 'rooms', '/a\nb'])(
		'refuses to return to %j, which is no path of this site',
		async (to) => {
			expect((await browser.request(begin(to))).status).toBe(422);
		},
	);
});

describe('the provider settings of a domain', () => {
	it('hide the client secret, and keep it when it is left out and issuer and client stay', async () => {
		const shown = await call('GET', '/domains/museum/sso');
		expect(shown).toMatchObject({ issuer: provider.issuer, hasSecret: true, redirectUri: callback });
		expect(JSON.stringify(shown)).not.toContain(CLIENT.clientSecret);
		expect(await configure({ clientSecret: undefined })).toMatchObject({ status: 200, hasSecret: true });
		expect(await configure({ clientSecret: undefined, issuer: 'http://127.0.0.1:1' })).toMatchObject({
			hasSecret: false,
		});
		await configure({});
	});

	it.each([
		[{ issuer: 'ftp://x.example' }, '/issuer'],
		[{ issuer: 'http://x.example' }, '/issuer'],
		[{ defaultRole: 'business_admin' }, '/defaultRole'],
		[{ clientId: '' }, '/clientId'],
		[{ emailDomains: ['@x'] }, '/emailDomains/0'],
	])('refuse %j and name the wrong field', async (changed, path) => {
		expect(await configure(changed)).toMatchObject({ status: 422, error: { path } });
	});

	it('report at sign-in that the provider does not answer', async () => {
		await configure({ issuer: 'http://127.0.0.1:1' });
		const answer = await browser.request(begin());
		expect([answer.status, codeOf(answer)]).toEqual([503, 'unavailable']);
		await configure({});
		expect((await browser.request(`${site}/auth/sso/nowhere`)).status).toBe(404);
	});
});
