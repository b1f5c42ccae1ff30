import { TABLES } from '@crowdvision/contracts';
import { startNode } from '@crowdvision/testing/processes';
import { type MailServer, startMailServer } from '@crowdvision/testing/smtp';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AUTH_STORE } from '../store.ts';
import { type AuthWorld, openAuthWorld, type Person } from '../testing/auth-world.ts';

const OLD = 'correct horse';
const NEW = 'battery staple';
let mail: MailServer;
let world: AuthWorld;
let ada: Person;

beforeEach(async () => {
	mail = await startMailServer();
	world = await openAuthWorld({ SMTP_URL: mail.url, MAIL_FROM: 'CrowdVision <crowd@example.org>' });
	ada = await world.person('ada');
});
afterEach(async () => {
	vi.useRealTimers();
	await world.stop();
	await mail.stop();
});

const login = (password: string, email = 'ada@example.org') =>
	world.call(undefined, 'POST', '/login', { email, password });
const ask = (email: string) => world.call(undefined, 'POST', '/password/forgotten', { email });
const reset = (token: string, newPassword = NEW) =>
	world.call(undefined, 'POST', '/password/reset', { token, newPassword });
const tokenIn = (text: string) => /#reset=(\S+)/.exec(text)?.[1] ?? '';
async function mailedToken(): Promise<string> {
	const before = mail.mails.length;
	expect((await ask(' Ada@Example.org')).status).toBe(202);
	await waitFor('the e-mail', () => mail.mails.length > before);
	return tokenIn(mail.mails.at(-1)!.text);
}

describe('P14 a forgotten password', () => {
	it('is replaced by a link in an e-mail, which works once and ends every session', async () => {
		const token = await mailedToken();
		expect(mail.mails[0]).toMatchObject({
			from: 'crowd@example.org',
			to: ['ada@example.org'],
			subject: 'CrowdVision: set a new password',
			text: expect.stringContaining(`${world.auth.url}/#reset=${token}`),
		});
		expect((await reset(token)).status).toBe(204);
		expect((await login(OLD)).status).toBe(401);
		expect((await login(NEW)).status).toBe(200);
		expect((await world.call(ada, 'GET', '/me')).status).toBe(401);
		expect(await reset(token, 'another password')).toMatchObject({
			status: 404,
			body: { error: { code: 'not_found' } },
		});
	});

	it('leads to this installation, whatever host the request names', async () => {
		await world.auth.call('POST', '/password/forgotten', {
			body: { email: 'ada@example.org' },
			headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
		});
		await waitFor('the e-mail', () => mail.mails.length > 0);
		expect(mail.mails[0]?.text).toContain(`${world.auth.url}/#reset=`);
		expect(mail.mails[0]?.text).not.toContain('evil');
	});

	it('is asked for in Italian by a browser that prefers it', async () => {
		const body = { email: 'ada@example.org' };
		await world.auth.call('POST', '/password/forgotten', { body, headers: { 'accept-language': 'it-IT,it;q=0.9' } });
		await waitFor('the e-mail', () => mail.mails.length > 0);
		expect(mail.mails[0]).toMatchObject({
			text: expect.stringContaining('Per sceglierla, apri questo link entro un’ora'),
		});
	});

	it('gives strangers the same answer for an address without an account, and sends nothing there', async () => {
		const [known, unknown] = [await ask('ada@example.org'), await ask('nobody@example.org')];
		expect([unknown.status, unknown.body]).toEqual([known.status, known.body]);
		await waitFor('the e-mail', () => mail.mails.length > 0);
		expect(mail.mails.map(({ to }) => to)).toEqual([['ada@example.org']]);
	});

	it('is not replaced by a link that is an hour old, made up, or older than the present password', async () => {
		const [late, outdated] = [await mailedToken(), await mailedToken()];
		await world.call(ada, 'PUT', '/me/password', { password: OLD, newPassword: NEW });
		for (const token of [outdated, `${late}x`, 'made-up']) expect((await reset(token, 'third')).status).toBe(422);
		for (const token of [outdated, `${late}x`, 'made-up'])
			expect((await reset(token, 'a third password')).status).toBe(404);
		const fresh = await mailedToken();
		vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3601_000 });
		expect((await reset(fresh)).status).toBe(404);
		expect((await login(NEW)).status).toBe(200);
	});

	it('is not a way to fill a mailbox', async () => {
		for (let n = 0; n < 3; n++) expect((await ask('ada@example.org')).status).toBe(202);
		expect(await ask('ada@example.org')).toMatchObject({ status: 429, headers: expect.anything() });
	});

	it('says what to do where no e-mails are sent', async () => {
		const silent = await openAuthWorld();
		try {
			expect((await silent.call(undefined, 'GET', '/recovery')).body).toEqual({ mail: false });
			expect(await silent.call(undefined, 'POST', '/password/forgotten', { email: 'ada@example.org' })).toMatchObject({
				status: 503,
				body: { error: { message: expect.stringContaining('npm run account -- reset') } },
			});
		} finally {
			await silent.stop();
		}
	});
});

describe("P14 a member's forgotten password", () => {
	const link = (as: Person, member: Person, domain = 'museum') =>
		world.call<{ url: string }>(as, 'POST', `/domains/${domain}/members/${member.id}/password-reset`);
	let bob: Person;
	beforeEach(async () => {
		bob = await world.person('bob');
		await world.call(ada, 'POST', '/domains', { name: 'museum' });
		await world.call(ada, 'PATCH', '/domains/museum', { public: true });
		await world.call(bob, 'POST', '/domains/museum/join', {});
	});

	it("is replaced by a link that the domain's admin hands over", async () => {
		const made = await link(ada, bob);
		expect(made).toMatchObject({ status: 201, body: { url: expect.stringContaining('/#reset=') } });
		expect((await reset(tokenIn(made.body.url))).status).toBe(204);
		expect((await login(NEW, 'bob@example.org')).status).toBe(200);
	});

	it('is not in the hands of an admin of one of its domains only, of members, or of strangers', async () => {
		await world.call(bob, 'POST', '/domains', { name: 'theatre' });
		expect(await link(ada, bob)).toMatchObject({ status: 403 });
		expect((await link(bob, ada)).status).toBe(403);
		const eve = await world.person('eve');
		expect((await link(eve, bob)).status).toBe(404);
		expect((await link(ada, eve)).status).toBe(404);
	});
});

describe('P14 the command npm run account', () => {
	const command = async (...args: string[]) => {
		const run = await startNode('services/auth/src/account.ts', {
			args,
			env: { DATA_DIR: world.world.parts.dataDir, MONGO_URL: undefined },
		});
		const { code } = await run.exited;
		return { code, stdout: run.stdout(), stderr: run.stderr() };
	};
	const passwordIn = (text: string) => /is now: (\S+)$/m.exec(text)?.[1] ?? '';

	it('resets a password while auth runs, and ends the sessions at once', async () => {
		const { code, stdout } = await command('reset', 'Ada@example.org');
		expect(code).toBe(0);
		expect((await login(passwordIn(stdout))).status).toBe(200);
		expect((await world.call(ada, 'GET', '/me')).status).toBe(401);
	});

	it('resets a password while nothing runs', async () => {
		const { dataDir } = world.world.parts;
		await world.auth.close();
		await world.world.parts.stores.close();
		const { stdout } = await command('reset', 'ada@example.org');
		expect(passwordIn(stdout)).toHaveLength(16);
		expect(dataDir).toBe(world.world.parts.dataDir);
	});

	it('deletes an account, and says which there is not', async () => {
		expect(await command('delete', 'nobody@example.org')).toMatchObject({
			code: 1,
			stderr: expect.stringContaining('There is no account with the e-mail address "nobody@example.org"'),
		});
		expect((await command('delete', 'ada@example.org')).code).toBe(0);
		expect((await login(OLD)).status).toBe(401);
		expect((await command()).stdout).toContain('usage: npm run account');
	});
});

describe('P14 a deleted account', () => {
	const remove = (password?: string) => world.call(ada, 'DELETE', '/me', password === undefined ? {} : { password });

	it('needs the password, and is gone with its sessions and memberships', async () => {
		await world.call(ada, 'POST', '/domains', { name: 'museum' });
		expect((await remove('wrong')).status).toBe(401);
		expect((await remove()).status).toBe(401);
		expect(await remove(OLD)).toMatchObject({
			status: 409,
			body: { error: { message: expect.stringContaining('the only business_admin of museum') } },
		});
		await world.call(ada, 'DELETE', '/domains/museum');
		expect((await remove(OLD)).status).toBe(204);
		expect((await world.call(ada, 'GET', '/me')).status).toBe(401);
		expect((await world.call(ada, 'POST', '/refresh')).status).toBe(401);
		expect((await login(OLD)).status).toBe(401);
	});

	it('leaves its e-mail address to a new account, which has nothing of it', async () => {
		const bob = await world.person('bob');
		await world.call(bob, 'POST', '/domains', { name: 'museum', public: true });
		await world.call(ada, 'POST', '/domains/museum/join', {});
		expect((await remove(OLD)).status).toBe(204);
		const again = await world.person('ada');
		expect(again.id).not.toBe(ada.id);
		expect((await world.call<{ memberships: unknown[] }>(again, 'GET', '/me')).body.memberships).toEqual([]);
		const members = await world.call<{ members: { accountId: string }[] }>(bob, 'GET', '/domains/museum/members');
		expect(members.body.members.map(({ accountId }) => accountId)).toEqual([bob.id]);
	});

	it('is told to the other services, and leaves neither invitations, links nor its e-mail address', async () => {
		const bob = await world.person('bob');
		await world.call(bob, 'POST', '/domains', { name: 'museum' });
		await world.call(bob, 'PUT', `/domains/museum/members/${ada.id}`, { role: 'business_staff' });
		await mailedToken();
		const told = new Map<string, string | null>();
		const watch = await world.world.parts.bus.watch(TABLES.removedAccounts, (key, value) => told.set(key, value));
		expect((await remove(OLD)).status).toBe(204);
		await waitFor('the removal to be told', () => told.has(ada.id));
		await watch.close();
		expect(JSON.parse(told.get(ada.id)!)).toEqual({ at: expect.any(Number) });
		await world.auth.close();
		const store = await world.world.parts.stores.open('auth', AUTH_STORE);
		const kept: string[] = [];
		for (const name of Object.keys(AUTH_STORE.collections))
			for (const document of await store.collection(name).find({ limit: 1000 }))
				if (/ada@/i.test(JSON.stringify(document)) || JSON.stringify(document).includes(ada.id)) kept.push(name);
		await store.close();
		// That its tokens are void, and that it was deleted: by its id, which says nothing of the person.
		expect(kept.sort()).toEqual(['removedAccounts', 'sessions']);
	});
});
