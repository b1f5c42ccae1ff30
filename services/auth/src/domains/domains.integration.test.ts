import { type InvitationView, type InviteView, TABLES } from '@crowdvision/contracts';
import { followTokens } from '@crowdvision/service-kit';
import { Secret, TOTP } from 'otpauth';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type AuthWorld, openAuthWorld, type Person } from '../testing/auth-world.ts';

let world: AuthWorld;
let ada: Person;
let bob: Person;
let eve: Person;
let domain: string;
let count = 0;

beforeAll(async () => {
	world = await openAuthWorld();
	[ada, bob, eve] = (await Promise.all(['ada', 'bob', 'eve'].map((name) => world.person(name)))) as [
		Person,
		Person,
		Person,
	];
	await followTokens(world.world.parts.tokens, world.world.parts.bus, world.world.parts.logger);
});
afterAll(() => world.stop());
afterEach(() => {
	vi.useRealTimers();
});

const call: AuthWorld['call'] = (...request) => world.call(...request);

/** Creates a new domain as Ada and makes it the current one. */
async function createDomain(body: object = {}): Promise<string> {
	domain = `museum${++count}`;
	expect(await call(ada, 'POST', '/domains', { name: domain, ...body })).toMatchObject({
		status: 201,
		body: { name: domain, role: 'business_admin' },
	});
	return domain;
}

const codeOf = ({ secret }: InviteView, at = Date.now()) =>
	new TOTP({ secret: Secret.fromBase32(secret), digits: 6, period: 30 }).generate({ timestamp: at });

async function invite(role: string): Promise<InviteView> {
	const { body } = await call<{ invites: InviteView[] }>(ada, 'GET', `/domains/${domain}/invites`);
	return body.invites.find((view) => view.role === role)!;
}

const put = (as: Person, whom: Person, role: string) =>
	call(as, 'PUT', `/domains/${domain}/members/${whom.id}`, { role });

/** Makes somebody a member: invites, and accepts. */
async function addMember(whom: Person, role: string): Promise<void> {
	expect(await put(ada, whom, role)).toMatchObject({ status: 202, body: { invited: true } });
	expect(await accept(whom, domain)).toMatchObject({ status: 200, body: { name: domain, role } });
}

const invitationsOf = async (whom: Person) =>
	(await call<{ invitations: InvitationView[] }>(whom, 'GET', '/invitations')).body.invitations;

async function accept(whom: Person, domainName: string) {
	const own = (await invitationsOf(whom)).find((invitation) => invitation.domainName === domainName);
	return call(whom, 'POST', `/invitations/${own?.id ?? 'none'}/accept`);
}

describe('a domain', () => {
	it('gives its members the same role in its subdomains, whose slash is sent as %2F', async () => {
		await createDomain();
		expect(await call(ada, 'POST', `/domains/${domain}/subdomains`, { name: 'east' })).toMatchObject({
			status: 201,
			body: { name: `${domain}/east` },
		});
		const path = encodeURIComponent(`${domain}/east`);
		expect(path).toContain('%2F');
		expect(await call(ada, 'POST', `/domains/${path}/subdomains`, { name: 'hall' })).toMatchObject({
			status: 201,
			body: { name: `${domain}/east/hall` },
		});
		await addMember(bob, 'business_staff');
		const { body } = await call<{ domains: { name: string }[] }>(bob, 'GET', '/domains');
		expect(body.domains.filter(({ name }) => name.startsWith(domain))).toEqual([
			{ name: domain, role: 'business_staff', public: false },
			{ name: `${domain}/east`, role: 'business_staff', public: false, inherited: true },
			{ name: `${domain}/east/hall`, role: 'business_staff', public: false, inherited: true },
		]);
		expect(await call(bob, 'POST', `/domains/${path}/subdomains`, { name: 'west' })).toMatchObject({ status: 403 });
		expect(await call(eve, 'POST', `/domains/${path}/subdomains`, { name: 'west' })).toMatchObject({ status: 404 });
		expect(await call(ada, 'POST', `/domains/${domain}/subdomains`, { name: 'a/b' })).toMatchObject({
			status: 422,
			body: { error: { path: '/name' } },
		});
		expect(await call(ada, 'POST', `/domains/${domain}/subdomains`, { name: 'east' })).toMatchObject({ status: 409 });
	});

	it('is created once when three accounts ask for the same name at once', async () => {
		const answers = await Promise.all(
			[ada, bob, eve].map((person) => call(person, 'POST', '/domains', { name: 'contested' })),
		);
		expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
	});

	it('is listed and open to everybody while public, and neither while private', async () => {
		await createDomain();
		const listed = async () => (await call<{ domains: object[] }>(eve, 'GET', '/domains?public=1')).body.domains;
		expect(await listed()).not.toContainEqual({ name: domain });
		const refusal = await call(eve, 'POST', `/domains/${domain}/join`, {});
		expect(refusal).toMatchObject({ status: 404 });
		expect((await call(eve, 'POST', '/domains/nowhere/join', {})).body).toEqual(refusal.body);
		expect(await call(ada, 'PATCH', `/domains/${domain}`, { public: true })).toMatchObject({
			status: 200,
			body: { public: true },
		});
		expect(await listed()).toContainEqual({ name: domain });
		expect(await call(eve, 'POST', `/domains/${domain}/join`, {})).toMatchObject({
			status: 200,
			body: { role: 'standard_customer' },
		});
		expect(await call(eve, 'PATCH', `/domains/${domain}`, { public: false })).toMatchObject({ status: 403 });
		expect(await call(eve, 'GET', '/domains?public=yes')).toMatchObject({
			status: 422,
			body: { error: { path: '/public' } },
		});
		expect(await call(ada, 'PATCH', `/domains/${domain}`, { public: 'yes' })).toMatchObject({
			status: 422,
			body: { error: { path: '/public' } },
		});
	});

	it('can be removed when it is empty, and its name stays taken', async () => {
		await createDomain({ public: true });
		await addMember(bob, 'standard_customer');
		expect(await call(ada, 'DELETE', `/domains/${domain}`)).toMatchObject({ status: 409 });
		await call(bob, 'DELETE', `/domains/${domain}/members/${bob.id}`);
		expect(await call(ada, 'DELETE', `/domains/${domain}`)).toMatchObject({ status: 204 });
		expect(await call(ada, 'GET', `/domains/${domain}/members`)).toMatchObject({ status: 404 });
		expect(await call(bob, 'POST', `/domains/${domain}/join`, {})).toMatchObject({ status: 404 });
		expect(await call(eve, 'POST', '/domains', { name: domain })).toMatchObject({ status: 409 });
	});
});

describe('P14 a domain that owns buildings', () => {
	it('stays until they are removed, unless somebody else owns them too', async () => {
		await createDomain();
		const { bus } = world.world.parts;
		const retain = (id: string, ...domains: string[]) =>
			bus.retain(
				TABLES.buildings,
				id,
				domains.length > 0 ? JSON.stringify({ id, name: id, domains, rooms: [] }) : null,
			);
		await retain('shared', domain, 'others');
		await retain('own', domain);
		const remove = () => call<{ error?: { message: string } }>(ada, 'DELETE', `/domains/${domain}`);
		await vi.waitFor(async () => expect((await remove()).body.error?.message).toContain('remove own first'));
		await retain('own');
		await vi.waitFor(async () => expect((await remove()).status).toBe(204));
	});
});

describe('an invite', () => {
	it('accepts the TOTP codes of its role, also of the step before, and never lowers a role', async () => {
		await createDomain();
		// A fixed time, so that no TOTP step ends between computing a code and using it.
		vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
		const staff = await invite('business_staff');
		expect(staff).toMatchObject({ period: 30, digits: 6, locked: false });
		expect(staff.otpauthUrl).toMatch(new RegExp(`^otpauth://totp/.*secret=${staff.secret}`));
		expect(
			await call(bob, 'POST', `/domains/${domain}/join`, { code: codeOf(staff, Date.now() - 30_000) }),
		).toMatchObject({
			status: 200,
			body: { role: 'business_staff' },
		});
		const customer = await invite('standard_customer');
		expect(await call(bob, 'POST', `/domains/${domain}/join`, { code: codeOf(customer) })).toMatchObject({
			body: { role: 'business_staff' },
		});
		expect(
			await call(eve, 'POST', `/domains/${domain}/join`, { code: codeOf(customer, Date.now() - 120_000) }),
		).toMatchObject({ status: 404 });
		expect(await call(bob, 'GET', `/domains/${domain}/invites`)).toMatchObject({ status: 403 });
		expect(await call(eve, 'GET', `/domains/${domain}/invites`)).toMatchObject({ status: 404 });
	});

	it('is void after it was rotated', async () => {
		await createDomain();
		const before = await invite('standard_customer');
		expect(await call(ada, 'POST', `/domains/${domain}/invites/standard_customer/rotate`)).toMatchObject({
			status: 200,
		});
		expect((await invite('standard_customer')).secret).not.toBe(before.secret);
		expect(await call(eve, 'POST', `/domains/${domain}/join`, { code: codeOf(before) })).toMatchObject({ status: 404 });
		expect(await call(ada, 'POST', `/domains/${domain}/invites/admin/rotate`)).toMatchObject({ status: 404 });
	});

	it.each(['12345', '1234567', 'abcdef', '١٢٣٤٥٦'])('refuses %s, which is not a code of six digits', async (code) => {
		expect(await call(eve, 'POST', `/domains/x/join`, { code })).toMatchObject({
			status: 422,
			body: { error: { path: '/code' } },
		});
	});

	it('blocks an account after five wrong codes', async () => {
		await createDomain();
		await invite('business_admin');
		const mallory = await world.person('mallory');
		const answers = await Promise.all(
			Array.from({ length: 8 }, () => call(mallory, 'POST', `/domains/${domain}/join`, { code: '000000' })),
		);
		expect(answers.filter(({ status }) => status === 429)).toHaveLength(3);
		expect(Number(answers.find(({ status }) => status === 429)!.headers.get('retry-after'))).toBeGreaterThan(0);
	});
});

describe('membership', () => {
	it('is listed and changed by business_admins only', async () => {
		await createDomain();
		await addMember(bob, 'standard_customer');
		expect(await put(ada, bob, 'business_staff')).toMatchObject({
			status: 200,
			body: { accountId: bob.id, name: 'bob', role: 'business_staff' },
		});
		expect(await call(ada, 'GET', `/domains/${domain}/members`)).toMatchObject({
			body: { members: [{ name: 'ada' }, { name: 'bob' }] },
		});
		expect(await call(bob, 'GET', `/domains/${domain}/members/${bob.id}`)).toMatchObject({ status: 403 });
		expect(await put(bob, eve, 'standard_customer')).toMatchObject({ status: 403 });
		expect(await put(eve, eve, 'business_admin')).toMatchObject({ status: 404 });
		expect(await put(ada, bob, 'admin')).toMatchObject({ status: 422, body: { error: { path: '/role' } } });
		expect(await put(ada, { id: 'nobody', token: '' }, 'business_staff')).toMatchObject({ status: 404 });
		expect(await call(ada, 'DELETE', `/domains/${domain}/members/${eve.id}`)).toMatchObject({ status: 404 });
	});

	it('keeps one business_admin per domain, also when the last two leave at once', async () => {
		await createDomain();
		expect(await call(ada, 'DELETE', `/domains/${domain}/members/${ada.id}`)).toMatchObject({ status: 409 });
		expect(await put(ada, ada, 'business_staff')).toMatchObject({ status: 409 });
		await addMember(bob, 'business_admin');
		const answers = await Promise.all([
			call(ada, 'DELETE', `/domains/${domain}/members/${ada.id}`),
			call(bob, 'DELETE', `/domains/${domain}/members/${bob.id}`),
		]);
		expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
	});

	it('is void in issued tokens at once when it ends; the account can refresh its token', async () => {
		await createDomain();
		await addMember(bob, 'business_staff');
		const before = await world.refreshed(bob);
		const { tokens } = world.world.parts;
		expect((await tokens.verifyAccount(before.token)).memberships).toContainEqual({
			domainName: domain,
			role: 'business_staff',
		});
		await call(ada, 'DELETE', `/domains/${domain}/members/${bob.id}`);
		await vi.waitFor(() =>
			expect(tokens.verifyAccount(before.token)).rejects.toMatchObject({ code: 'unauthenticated' }),
		);
		bob = await world.refreshed(before);
		expect((await tokens.verifyAccount(bob.token)).memberships.map(({ domainName }) => domainName)).not.toContain(
			domain,
		);
	});
});

describe('P14 an account', () => {
	it('becomes a member only if it accepts, and whoever invites it learns nothing of it', async () => {
		await createDomain();
		const answer = await put(ada, eve, 'business_staff');
		const nobody = await put(ada, { id: '00000000-0000-4000-8000-000000000000', token: '' }, 'business_staff');
		expect(answer).toMatchObject({ status: 202, body: { invited: true } });
		expect([nobody.status, nobody.body]).toEqual([answer.status, answer.body]);
		const { body } = await call<{ members: object[] }>(ada, 'GET', `/domains/${domain}/members`);
		expect(body.members).toMatchObject([{ name: 'ada' }]);
		expect(await call(ada, 'GET', `/domains/${domain}/members/${eve.id}`)).toMatchObject({ status: 404 });
		expect(await call(eve, 'GET', `/domains/${domain}/members`)).toMatchObject({ status: 404 });

		const [own] = (await invitationsOf(eve)).filter(({ domainName }) => domainName === domain);
		expect(own).toEqual({ id: own!.id, domainName: domain, role: 'business_staff', at: expect.any(Number) });
		expect(await call(bob, 'POST', `/invitations/${own!.id}/accept`)).toMatchObject({ status: 404 });
		expect(await call(bob, 'DELETE', `/invitations/${own!.id}`)).toMatchObject({ status: 404 });
		expect(await call(eve, 'DELETE', `/invitations/${own!.id}`)).toMatchObject({ status: 204 });
		expect(await call(eve, 'POST', `/invitations/${own!.id}/accept`)).toMatchObject({ status: 404 });

		await put(ada, eve, 'standard_customer');
		await call(ada, 'DELETE', `/domains/${domain}/members/${eve.id}`);
		expect((await invitationsOf(eve)).filter(({ domainName }) => domainName === domain)).toEqual([]);
		await addMember(eve, 'standard_customer');
		expect(await call(ada, 'GET', `/domains/${domain}/members/${eve.id}`)).toMatchObject({ body: { name: 'eve' } });
	});

	it('sees its invitations page by page, and no invitation of a domain that is gone', async () => {
		const domains: string[] = [];
		for (let i = 0; i < 3; i++) {
			domains.push(await createDomain());
			await put(ada, eve, 'standard_customer');
		}
		const seen: string[] = [];
		for (let cursor: string | undefined; ; ) {
			const { body } = await call<{ invitations: InvitationView[]; nextCursor?: string }>(
				eve,
				'GET',
				`/invitations?limit=1${cursor === undefined ? '' : `&cursor=${cursor}`}`,
			);
			seen.push(...body.invitations.map(({ domainName }) => domainName));
			cursor = body.nextCursor;
			if (cursor === undefined) break;
		}
		expect(seen.filter((name) => domains.includes(name))).toEqual(domains.toReversed());
		expect(await call(eve, 'GET', '/invitations?cursor=nonsense')).toMatchObject({
			status: 400,
			body: { error: { path: '/cursor' } },
		});
		await call(ada, 'DELETE', `/domains/${domain}`);
		expect((await invitationsOf(eve)).map(({ domainName }) => domainName)).not.toContain(domain);
		expect(await accept(eve, domain)).toMatchObject({ status: 404 });
	});
});

describe('P14 the list of domains', () => {
	type Page = { domains: { name: string }[]; nextCursor?: string };
	async function names(as: Person, query: string): Promise<string[][]> {
		const pages: string[][] = [];
		for (let cursor = ''; ; ) {
			const { domains, nextCursor } = (await call<Page>(as, 'GET', `/domains?${query}${cursor}`)).body;
			pages.push(domains.map(({ name }) => name));
			if (nextCursor === undefined) return pages;
			cursor = `&cursor=${nextCursor}`;
		}
	}

	it.each(['', 'public=1&'])('comes in pages, in the order of names (?%s)', async (which) => {
		const gina = await world.person(`gina-${which.length}`);
		for (const name of ['e', 'b', 'd', 'a', 'c'])
			await call(gina, 'POST', '/domains', { name: `list-${which.length}-${name}`, public: which !== '' });
		const [whole] = await names(gina, which);
		expect(whole!.filter((name) => name.startsWith(`list-${which.length}-`)).map((name) => name.at(-1))).toEqual([
			...'abcde',
		]);
		const pages = await names(gina, `${which}limit=2`);
		expect(pages.flat()).toEqual(whole);
		expect(pages[0]).toHaveLength(2);
	});

	it('refuses a cursor that it did not give', async () => {
		const hal = await world.person('hal');
		expect((await call(hal, 'GET', '/domains?cursor=abc')).status).toBe(400);
	});
});

describe('a session', () => {
	it('ends everywhere at logout, while other sessions of the account go on', async () => {
		const carl = await world.person('carl');
		const credentials = { email: 'carl@example.org', password: 'correct horse' };
		const second = { ...carl, token: (await call<Person>(undefined, 'POST', '/login', credentials)).body.token };
		expect((await call(carl, 'POST', '/logout')).status).toBe(204);
		await vi.waitFor(async () => expect((await call(carl, 'GET', '/me')).status).toBe(401));
		expect((await call(carl, 'POST', '/refresh')).status).toBe(401);
		expect((await call(second, 'GET', '/me')).status).toBe(200);
	});

	it('ends when the password is changed, which requires the current password', async () => {
		const dora = await world.person('dora');
		expect(await call(dora, 'PUT', '/me/password', { password: 'wrong', newPassword: 'another horse' })).toMatchObject({
			status: 401,
			body: { error: { code: 'wrong_credentials' } },
		});
		expect(await call(dora, 'PUT', '/me/password', { password: 'correct horse', newPassword: 'short' })).toMatchObject({
			status: 422,
			body: { error: { path: '/newPassword' } },
		});
		const changed = await call<{ token: string }>(dora, 'PUT', '/me/password', {
			password: 'correct horse',
			newPassword: 'another horse',
		});
		expect(changed.status).toBe(200);
		await vi.waitFor(async () => expect((await call(dora, 'GET', '/me')).status).toBe(401));
		expect((await call({ ...dora, token: changed.body.token }, 'GET', '/me')).status).toBe(200);
	});

	it('with many memberships is split over several cookies and read back whole', async () => {
		const frank = await world.person('frank');
		for (let n = 0; n < 50; n++) await world.auth.service.ensureDomain(`a-rather-long-name-of-a-domain-${n}`, frank.id);
		const { headers } = await call(frank, 'POST', '/refresh');
		const cookies = headers.getSetCookie().map((cookie) => cookie.split(';')[0]!);
		expect(cookies.length).toBeGreaterThan(1);
		for (const cookie of cookies) expect(cookie.length).toBeLessThan(4096);
		const me = await world.auth.call<{ memberships: object[] }>('GET', '/me', {
			headers: { cookie: cookies.join('; ') },
		});
		expect(me.body.memberships).toHaveLength(50);
	});
});
