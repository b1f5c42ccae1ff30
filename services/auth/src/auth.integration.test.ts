import { createHmac, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { firstGeneration, type SessionResponse, TABLES } from '@crowdvision/contracts';
import { SESSION_COOKIE, Tokens } from '@crowdvision/service-kit';
import { openServiceWorld, type Served, type ServiceWorld } from '@crowdvision/testing/service-world';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Auth, createAuth } from './index.ts';

let world: ServiceWorld;
let auth: Served & { service: Auth };

beforeEach(async () => {
	world = await openServiceWorld();
	auth = await world.serve(createAuth);
});

afterEach(async () => {
	vi.useRealTimers();
	await world.stop();
});

const ADA = { email: 'Ada@Example.org', password: 'correct horse', name: 'Ada' };
const register = async (who = ADA) =>
	(await auth.call<SessionResponse & { account: { id: string } }>('POST', '/register', { body: who })).body;
const login = (body: { email: string; password: string }) => auth.call<SessionResponse>('POST', '/login', { body });

describe('registration and sign-in', () => {
	it('reports a first run until the first account exists', async () => {
		expect((await auth.call('GET', '/first-run')).body).toEqual({ empty: true });
		await register();
		expect((await auth.call('GET', '/first-run')).body).toEqual({ empty: false });
	});

	it('signs in a registered account whatever the case of its e-mail address, also after a restart', async () => {
		const { account } = await register();
		await world.restart();
		auth = await world.serve(createAuth);
		const answer = await login({ email: ' ada@example.ORG ', password: ADA.password });
		expect(answer).toMatchObject({ status: 200, body: { expiresIn: 10_800 } });
		const claims = await world.parts.tokens.verifyAccount(answer.body.token);
		expect(claims).toMatchObject({ sub: account.id, name: 'Ada', memberships: [] });
		expect(claims.exp - claims.iat).toBe(10_800);
	});

	it('sets a session cookie that is HttpOnly, SameSite=Lax, and Secure behind TLS', async () => {
		await register();
		const cookieOf = async (headers: Record<string, string>) =>
			(await auth.call('POST', '/login', { body: { email: ADA.email, password: ADA.password }, headers })).headers.get(
				'set-cookie',
			)!;
		const cookie = await cookieOf({});
		expect(cookie).toMatch(new RegExp(`^${SESSION_COOKIE}-[0-9a-f]{8}=[^;]+; Max-Age=10800; Path=/;`));
		expect(cookie).toMatch(/; HttpOnly; SameSite=Lax$/);
		expect(await cookieOf({ 'x-forwarded-proto': 'https' })).toMatch(/; Secure/);
		const me = await auth.call('GET', '/me', { headers: { cookie: cookie.split(';')[0]! } });
		expect(me).toMatchObject({ status: 200, body: { email: 'ada@example.org', name: 'Ada' } });
		const bye = await auth.call('POST', '/logout');
		expect(bye.status).toBe(204);
		expect(bye.headers.get('set-cookie')).toMatch(
			new RegExp(`^${SESSION_COOKIE}-[0-9a-f]{8}=; .*Expires=Thu, 01 Jan 1970`),
		);
	});

	it('refuses a second account with the same e-mail address, also when both are created at once', async () => {
		const answers = await Promise.all(
			[1, 2].map(() => auth.call('POST', '/register', { body: { ...ADA, email: ADA.email.toUpperCase() } })),
		);
		expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
		expect(await auth.call('POST', '/register', { body: ADA })).toMatchObject({
			status: 409,
			body: { error: { code: 'conflict', path: '/email' } },
		});
	});

	it.each([
		[{ ...ADA, email: 'nobody' }, '/email'],
		[{ ...ADA, password: 'short' }, '/password'],
		[{ ...ADA, password: 'x'.repeat(1025) }, '/password'],
		[{ ...ADA, name: ' ' }, '/name'],
		[{ email: ADA.email, password: ADA.password }, '/name'],
	])('refuses to register %o and names the wrong field', async (body, path) => {
		expect(await auth.call('POST', '/register', { body })).toMatchObject({
			status: 422,
			body: { error: { code: 'invalid', path } },
		});
	});

	it('gives the same answer for an unknown e-mail address as for a wrong password', async () => {
		await register();
		const unknown = await login({ email: 'nobody@example.org', password: ADA.password });
		const wrong = await login({ email: ADA.email, password: 'wrong horse' });
		expect(unknown).toMatchObject({ status: 401, body: { error: { code: 'wrong_credentials' } } });
		expect(unknown.body).toEqual(wrong.body);
	});

	it('blocks an account after five wrong passwords, also parallel ones, and no other account', async () => {
		await register();
		await register({ ...ADA, email: 'bob@example.org' });
		const guesses = await Promise.all(
			Array.from({ length: 12 }, (_, n) => login({ email: ADA.email, password: `guess ${n}` })),
		);
		expect(guesses.filter(({ status }) => status === 401)).toHaveLength(5);
		const blocked = guesses.filter(({ status }) => status === 429);
		expect(blocked).toHaveLength(7);
		expect(Number(blocked[0]!.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
		expect((await login(ADA)).status).toBe(429);
		expect((await login({ ...ADA, email: 'bob@example.org' })).status).toBe(200);
		vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 16_000 });
		expect((await login(ADA)).status).toBe(200);
		expect((await login({ ...ADA, password: 'wrong again' })).status).toBe(401);
	});

	it('stores passwords as scrypt hashes, in a file that only its user can read', async () => {
		await register();
		const path = join(world.parts.dataDir, 'auth.sqlite');
		expect(statSync(path).mode & 0o077).toBe(0);
		await auth.close();
		const stored = Buffer.concat(
			[path, `${path}-wal`].filter((file) => existsSync(file)).map((file) => readFileSync(file)),
		).toString('latin1');
		expect(stored).toMatch(/scrypt\$16384\$8\$5\$/);
		expect(stored).not.toContain(ADA.password);
	});
});

describe('domain creation', () => {
	it('makes the creator business_admin, at once within auth and elsewhere with the next token', async () => {
		const { token } = await register();
		expect(await auth.call('POST', '/domains', { token, body: { name: 'museum' } })).toMatchObject({ status: 201 });
		expect((await auth.call('GET', '/domains', { token })).body).toEqual({
			domains: [{ name: 'museum', role: 'business_admin', public: false }],
		});
		const fresh = await auth.call<SessionResponse>('POST', '/refresh', { token });
		expect((await world.parts.tokens.verifyAccount(fresh.body.token)).memberships).toEqual([
			{ domainName: 'museum', role: 'business_admin' },
		]);
	});

	it('refuses a name that is taken and hides the domain from others', async () => {
		const { token } = await register();
		const other = (await register({ ...ADA, email: 'bob@example.org' })).token;
		await auth.call('POST', '/domains', { token, body: { name: 'museum' } });
		expect((await auth.call('POST', '/domains', { token: other, body: { name: 'museum' } })).status).toBe(409);
		expect((await auth.call('GET', '/domains', { token: other })).body).toEqual({ domains: [] });
	});

	it('lets only a business_admin of the parent create a subdomain', async () => {
		const { token } = await register();
		const other = (await register({ ...ADA, email: 'bob@example.org' })).token;
		await auth.call('POST', '/domains', { token, body: { name: 'museum' } });
		expect((await auth.call('POST', '/domains', { token: other, body: { name: 'museum/east' } })).status).toBe(404);
		expect((await auth.call('POST', '/domains', { token: other, body: { name: 'nowhere/east' } })).status).toBe(404);
		expect((await auth.call('POST', '/domains', { token, body: { name: 'museum/east' } })).status).toBe(201);
		expect((await auth.call('POST', '/domains', { token, body: { name: 'Not A Name' } })).status).toBe(422);
	});
});

describe('device registration', () => {
	let token: string;

	beforeEach(async () => {
		({ token } = await register());
		await auth.call('POST', '/domains', { token, body: { name: 'museum' } });
		for (const [id, owner] of [
			['b1', 'museum/east'],
			['b2', 'evil'],
		] as const)
			await world.parts.bus.retain(TABLES.buildings, id, JSON.stringify({ id, name: id, domains: [owner], rooms: [] }));
	});

	const issue = (body: object, as = token) =>
		auth.call<{ deviceId: string; token: string }>('POST', '/domains/museum/devices', { token: as, body });

	it('issues a token with the scope of the device for five years and shows it once', async () => {
		const { status, body } = await issue({ name: 'door', buildingId: 'b1', sensorIds: ['door-1'] });
		expect(status).toBe(201);
		const claims = await world.parts.tokens.verifyDevice(body.token);
		expect(claims).toMatchObject({
			sub: `device:${body.deviceId}`,
			domainName: 'museum',
			buildingId: 'b1',
			sensorIds: ['door-1'],
		});
		expect(claims.exp - claims.iat).toBe(5 * 365 * 24 * 3600);
		const listed = await auth.call<{ devices: object[] }>('GET', '/domains/museum/devices', { token });
		expect(listed.body.devices).toEqual([
			{
				deviceId: body.deviceId,
				domainName: 'museum',
				name: 'door',
				buildingId: 'b1',
				sensorIds: ['door-1'],
				createdAt: expect.any(Number),
			},
		]);
	});

	it('P14 binds the token to the building that has this id now', async () => {
		const generation = firstGeneration(Date.now());
		const building = { id: 'b3', name: 'b3', domains: ['museum'], rooms: [], generation };
		await world.parts.bus.retain(TABLES.buildings, 'b3', JSON.stringify(building));
		const { body } = await issue({ name: 'door', buildingId: 'b3' });
		expect(await world.parts.tokens.verifyDevice(body.token)).toMatchObject({ buildingId: 'b3', generation });
	});

	it('announces a revoked device to every gateway, also to one that starts later', async () => {
		const { body } = await issue({ name: 'door' });
		const announced = new Map<string, string | null>();
		await world.parts.bus.watch(TABLES.revokedDevices, (key, value) => announced.set(key, value));
		expect((await auth.call('DELETE', `/domains/museum/devices/${body.deviceId}`, { token })).status).toBe(204);
		await vi.waitFor(() => expect(announced.has(body.deviceId)).toBe(true));
		const { iat } = await world.parts.tokens.verifyDevice(body.token);
		expect(JSON.parse(announced.get(body.deviceId)!).before).toBeGreaterThanOrEqual(iat);
		await world.restart();
		auth = await world.serve(createAuth);
		const later = new Map<string, string | null>();
		await world.parts.bus.watch(TABLES.revokedDevices, (key, value) => later.set(key, value));
		expect(later.get(body.deviceId)).toBe(announced.get(body.deviceId));
	});

	it('hides the devices of a domain from everybody else', async () => {
		const { body } = await issue({ name: 'door' });
		const other = (await register({ ...ADA, email: 'bob@example.org' })).token;
		expect((await issue({ name: 'evil' }, other)).status).toBe(404);
		expect((await auth.call('GET', '/domains/museum/devices', { token: other })).status).toBe(404);
		expect((await auth.call('DELETE', `/domains/museum/devices/${body.deviceId}`, { token: other })).status).toBe(404);
		await auth.call('POST', '/domains', { token: other, body: { name: 'evil' } });
		expect((await auth.call('DELETE', `/domains/evil/devices/${body.deviceId}`, { token: other })).status).toBe(404);
		await expect(
			auth.service.issueDevice({ domainName: 'evil', name: 'x', deviceId: body.deviceId }),
		).rejects.toMatchObject({ code: 'conflict' });
	});

	it('refuses an invalid scope with its path, and a building of another domain', async () => {
		for (const buildingId of ['b2', 'nowhere']) {
			expect(await issue({ name: 'door', buildingId })).toMatchObject({
				status: 422,
				body: { error: { path: '/buildingId' } },
			});
		}
		expect(await issue({ name: 'door', sensorIds: ['a b'] })).toMatchObject({
			status: 422,
			body: { error: { path: '/sensorIds/0' } },
		});
	});
});

describe('the set-up of the demo', () => {
	it('creates account, domain and device once, and overwrites the password only when asked to', async () => {
		const demo = { email: 'demo@crowdvision.local', name: 'Demo', password: 'first password' };
		const first = await auth.service.ensureAccount(demo);
		const second = await auth.service.ensureAccount({ ...demo, password: 'second password' });
		expect([first.created, second.created]).toEqual([true, false]);
		expect(second.id).toBe(first.id);
		expect((await login(demo)).status).toBe(200);
		await auth.service.ensureAccount({ ...demo, password: 'second password', overwritePassword: true });
		expect((await login(demo)).status).toBe(401);
		expect((await login({ ...demo, password: 'second password' })).status).toBe(200);
		for (let n = 0; n < 2; n++) await auth.service.ensureDomain('demo', first.id);
		const { token } = (await login({ ...demo, password: 'second password' })).body;
		expect((await world.parts.tokens.verifyAccount(token)).memberships).toEqual([
			{ domainName: 'demo', role: 'business_admin' },
		]);
		for (let n = 0; n < 2; n++) {
			const device = await auth.service.issueDevice({ domainName: 'demo', name: 'simulator', deviceId: 'sim-1' });
			expect(await world.parts.tokens.verifyDevice(device.token)).toMatchObject({ sub: 'device:sim-1' });
		}
		expect(
			(await auth.call<{ devices: object[] }>('GET', '/domains/demo/devices', { token })).body.devices,
		).toHaveLength(1);
	});
});

describe('the sign-in guard', () => {
	const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
	const claims = (changed: object = {}) => {
		const now = Math.floor(Date.now() / 1000);
		const memberships = [{ domainName: 'museum', role: 'admin' }];
		return {
			sub: randomUUID(),
			name: 'Eve',
			memberships,
			iss: 'crowdvision',
			aud: 'account',
			iat: now,
			exp: now + 600,
			jti: randomUUID(),
			...changed,
		};
	};
	const signed = (payload: object, secret: string, header: object = { alg: 'HS256', typ: 'JWT' }) => {
		const body = `${encode(header)}.${encode(payload)}`;
		return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
	};
	const refused = async (token: string) => {
		const ways: Record<string, string>[] = [
			{ authorization: `Bearer ${token}` },
			{ cookie: `${SESSION_COOKIE}=${token}` },
		];
		for (const headers of ways) {
			expect(await auth.call('GET', '/domains', { headers })).toMatchObject({
				status: 401,
				body: { error: { code: 'unauthenticated' } },
			});
		}
	};
	const SECRET = 'a secret for tests only, of more than 32 characters';

	it('accepts a handmade token with the right secret, which proves the refusals below', async () => {
		expect((await auth.call('GET', '/domains', { token: signed(claims(), SECRET) })).status).toBe(200);
	});

	it('refuses a token without a signature (alg none), with or without a trailing dot', async () => {
		const none = `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims())}`;
		await refused(`${none}.`);
		await refused(none);
	});

	it('refuses a token signed with another secret or another algorithm than HS256', async () => {
		await refused(
			await new Tokens('another secret of more than thirty-two characters').signAccount({
				id: 'eve',
				name: 'Eve',
				memberships: [],
			}),
		);
		await refused(signed(claims(), SECRET, { alg: 'HS512', typ: 'JWT' }));
		await refused(signed(claims(), SECRET, { alg: 'RS256', typ: 'JWT' }));
	});

	it('refuses a token that is expired, not yet valid, or for another audience or issuer', async () => {
		const now = Math.floor(Date.now() / 1000);
		await refused(signed(claims({ exp: now - 1 }), SECRET));
		await refused(signed(claims({ nbf: now + 600 }), SECRET));
		await refused(signed(claims({ aud: 'another' }), SECRET));
		await refused(signed(claims({ iss: 'another' }), SECRET));
		await refused(signed(claims({ exp: undefined }), SECRET));
	});

	it('refuses a token whose memberships were altered or have an unknown role', async () => {
		const [header, , signature] = signed(claims({ memberships: [] }), SECRET).split('.');
		await refused(`${header}.${encode(claims())}.${signature}`);
		await refused(signed(claims({ memberships: [{ domainName: 'museum', role: 'root' }] }), SECRET));
	});

	it("refuses a device's token where an account's is needed, and the reverse", async () => {
		const device = await world.parts.tokens.signDevice({ id: 'd1', domainName: 'museum' });
		await refused(device);
		const account = await world.token({ domainName: 'museum', role: 'admin' });
		await expect(world.parts.tokens.verifyDevice(account)).rejects.toMatchObject({ code: 'unauthenticated' });
		await expect(world.parts.tokens.verifyDevice(device)).resolves.toMatchObject({ sub: 'device:d1' });
	});

	it('refuses a request without a token, or with a malformed one', async () => {
		expect((await auth.call('GET', '/domains')).status).toBe(401);
		await refused('x');
		await refused('a.b.c');
	});
});
