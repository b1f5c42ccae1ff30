import { createServer } from 'node:http';
import { closeServer, createApp, finishApp, listen, sessionToken } from '@crowdvision/service-kit';
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
	// As Caddy serves it: below /auth.
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
	for (const one of close) await one();
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

/** The account of the session that this answer begins. */
async function sessionOf(answer: { headers: Headers }) {
	const cookie = answer.headers
		.getSetCookie()
		.map((one) => one.split(';')[0])
		.join('; ');
	return world.parts.tokens.verifyAccount(sessionToken({ headers: { cookie } })!);
}

describe('sign-in by a provider', () => {
	it('asks with PKCE S256, a nonce and a state that says nothing', async () => {
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

	it('makes an account and a member at the first time, finds it again, and comes back to the page it began from', async () => {
		const first = await browser.request(await browser.signIn(begin(), 'grace', callback));
		expect([first.status, first.location]).toEqual([302, `${site}/rooms?floor=1`]);
		const claims = await sessionOf(first);
		expect(claims).toMatchObject({ memberships: [{ domainName: 'museum', role: 'standard_customer' }] });
		const again = await new Browser().signIn(begin(), 'grace', callback).catch(() => undefined);
		expect(again).toBeDefined();
		const second = await browser.request(await browser.signIn(begin(), 'grace', callback));
		expect((await sessionOf(second)).sub).toBe(claims.sub);
		// Who was removed is not let in again by signing in.
		expect(await call('DELETE', `/domains/museum/members/${claims.sub}`)).toMatchObject({ status: 204 });
		const third = await browser.request(await browser.signIn(begin(), 'grace', callback));
		expect(await sessionOf(third)).toMatchObject({ sub: claims.sub, memberships: [] });
	});

	it('never leads to the account of somebody who registered, whatever verified address the provider tells', async () => {
		const me = (await call('GET', '/me')) as { id: string };
		const claims = await sessionOf(await browser.request(await browser.signIn(begin(), 'ada', callback)));
		expect(claims.sub).not.toBe(me.id);
		expect(claims.memberships).toEqual([{ domainName: 'museum', role: 'standard_customer' }]);
	});

	it('takes addresses of certain domains only where the domain says so, and verified ones only', async () => {
		await configure({ emailDomains: ['example.org'], clientSecret: undefined });
		expect((await browser.request(await browser.signIn(begin(), 'grace', callback))).status).toBe(302);
		const liar = new Browser();
		const answer = await liar.request(await liar.signIn(begin(), 'liar', callback));
		expect([answer.status, codeOf(answer)]).toEqual([403, 'forbidden']);
		await configure({});
	});

	it('refuses a state that it never gave, or none', async () => {
		const back = new URL(await browser.signIn(begin(), 'grace', callback));
		back.searchParams.set('state', 'x'.repeat(43));
		expect(codeOf(await browser.request(back.href))).toBe('bad_request');
		back.searchParams.delete('state');
		expect(codeOf(await browser.request(back.href))).toBe('bad_request');
	});

	it('refuses a state a second time', async () => {
		const back = await browser.signIn(begin(), 'grace', callback);
		const cookies = await browser.request(back);
		expect(cookies.status).toBe(302);
		expect(codeOf(await browser.request(back))).toBe('bad_request');
	});

	it("refuses another browser's state, which stays good for its own", async () => {
		const back = await browser.signIn(begin(), 'grace', callback);
		const other = new Browser();
		await other.request(begin());
		expect(codeOf(await other.request(back))).toBe('bad_request');
		expect((await browser.request(back)).status).toBe(302);
	});

	it('refuses a code that was tampered with', async () => {
		const back = new URL(await browser.signIn(begin(), 'grace', callback));
		back.searchParams.set('code', `${back.searchParams.get('code')}x`);
		expect(codeOf(await browser.request(back.href))).toBe('unauthenticated');
	});

	it('refuses a code of another sign-in: nonce and PKCE are bound to the state', async () => {
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

	it('refuses an answer in the name of another issuer', async () => {
		const back = new URL(await browser.signIn(begin(), 'grace', callback));
		back.searchParams.set('iss', 'https://evil.example');
		expect(codeOf(await browser.request(back.href))).toBe('unauthenticated');
	});

	it("tells of the provider's own refusal", async () => {
		const { state } = Object.fromEntries(new URL((await browser.request(begin())).location!).searchParams);
		const answer = await browser.request(
			`${callback}?error=access_denied&state=${state}&iss=${encodeURIComponent(provider.issuer)}`,
		);
		expect(codeOf(answer)).toBe('unauthenticated');
	});

	it.each(['https://evil.example', '//evil.example', '/\\evil.example', 'rooms', '/a\nb'])(
		'does not come back to %j',
		async (to) => {
			expect((await browser.request(begin(to))).status).toBe(422);
		},
	);
});

describe('settings of a provider', () => {
	it('do not show the secret, and keep it where it is left out', async () => {
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
	])('refuse %j', async (changed, path) => {
		expect(await configure(changed)).toMatchObject({ status: 422, error: { path } });
	});

	it('say that a provider does not answer, or is none', async () => {
		await configure({ issuer: 'http://127.0.0.1:1' });
		const answer = await browser.request(begin());
		expect([answer.status, codeOf(answer)]).toEqual([503, 'unavailable']);
		await configure({});
		expect((await browser.request(`${site}/auth/sso/nowhere`)).status).toBe(404);
	});
});
