import { type RetainedAccount, TABLES } from '@crowdvision/contracts';
import { onEachEngine } from '@crowdvision/testing/engines';
import { type MailServer, startMailServer } from '@crowdvision/testing/smtp';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AccountDocument, AUTH_STORE } from '../store.ts';
import { type AuthWorld, openAuthWorld, type Person } from '../testing/auth-world.ts';

const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8', 'accept-language': 'it-IT,it;q=0.9' };

onEachEngine((mongoUrl) => {
	let mail: MailServer;
	let world: AuthWorld;
	let known: Map<string, RetainedAccount>;
	let ada: Person;
	let bob: Person;

	beforeEach(async () => {
		mail = await startMailServer();
		world = await openAuthWorld({ SMTP_URL: mail.url }, mongoUrl ? { mongoUrl: mongoUrl() } : {});
		known = new Map();
		await world.world.parts.bus.watch(TABLES.accounts, (id, value) => {
			if (value === null) known.delete(id);
			else known.set(id, JSON.parse(value) as RetainedAccount);
		});
		ada = await world.person('ada');
		bob = await world.person('bob');
	});
	afterEach(async () => {
		await world.stop();
		await mail.stop();
	});

	const knownAs = (person: Person, expected: Partial<RetainedAccount>) =>
		waitFor(`the table to tell ${JSON.stringify(expected)}`, () => {
			expect(known.get(person.id)).toMatchObject(expected);
			return true;
		});
	async function mailedToken(person: Person): Promise<string> {
		expect((await world.call(person, 'POST', '/me/contact/confirmation')).status).toBe(202);
		return /\/auth\/confirm\/(\S+)/.exec(mail.mails.at(-1)!.text)![1]!;
	}

	describe('A5 the table of accounts', () => {
		it('tells name, address and memberships of each account as they change, until it is removed', async () => {
			await knownAs(ada, { name: 'ada', email: 'ada@example.org', memberships: [], generation: 0 });
			await world.call(ada, 'POST', '/domains', { name: 'museum', public: true });
			await knownAs(ada, { memberships: [{ domainName: 'museum', role: 'business_admin' }] });
			await world.call(bob, 'POST', '/domains/museum/join', {});
			await knownAs(bob, { memberships: [{ domainName: 'museum', role: 'standard_customer' }] });
			await world.call(ada, 'PUT', `/domains/museum/members/${bob.id}`, { role: 'business_staff' });
			await knownAs(bob, { memberships: [{ domainName: 'museum', role: 'business_staff' }] });
			await world.call(ada, 'DELETE', `/domains/museum/members/${bob.id}`);
			await knownAs(bob, { memberships: [] });
			await world.call(bob, 'PATCH', '/me', { language: 'it' });
			await knownAs(bob, { language: 'it' });
			const body = { password: 'correct horse', newPassword: 'battery staple' };
			const changed = await world.call<{ token: string }>(bob, 'PUT', '/me/password', body);
			await knownAs(bob, { generation: 1 });
			const again = { ...bob, token: changed.body.token };
			expect((await world.call(again, 'DELETE', '/me', { password: 'battery staple' })).status).toBe(204);
			await waitFor('the account to go', () => !known.has(bob.id));
		});

		it('takes the address of the first account for confirmed, also of one that an earlier version made', async () => {
			await knownAs(ada, { emailConfirmed: true });
			await knownAs(bob, { emailConfirmed: false });
			await world.auth.close();
			const store = await world.world.parts.stores.open('auth', AUTH_STORE);
			const accounts = store.collection<AccountDocument>('accounts');
			const { confirmed, ...earlier } = (await accounts.get(ada.id))!.value;
			expect(confirmed).toBe('ada@example.org');
			await store.commit([accounts.put(ada.id, earlier), store.collection('takenOver').remove('first-account')]);
			await store.close();
			const { createAuth } = await import('../service.ts');
			await world.world.serve((parts) => createAuth(parts));
			await knownAs(ada, { emailConfirmed: true });
			await knownAs(bob, { emailConfirmed: false });
		});
	});

	describe('A5 an address', () => {
		it('is confirmed by the button behind the link in an e-mail, and not by opening the link', async () => {
			const token = await mailedToken(bob);
			expect(mail.mails.at(-1)).toMatchObject({
				to: ['bob@example.org'],
				text: expect.stringContaining(`${world.auth.url}/auth/confirm/${token}`),
			});
			const page = await world.auth.call<string>('GET', `/confirm/${token}`, { headers: BROWSER });
			expect(page).toMatchObject({ status: 200, body: expect.stringContaining('<button>Conferma</button>') });
			expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
			await knownAs(bob, { emailConfirmed: false });
			expect((await world.auth.call('POST', `/confirm/${token}`, { headers: BROWSER })).status).toBe(200);
			await knownAs(bob, { emailConfirmed: true });
			expect((await world.call<object>(bob, 'GET', '/me')).body).toMatchObject({
				contact: { email: 'bob@example.org', confirmed: true },
			});
			expect((await world.call(bob, 'POST', '/me/contact/confirmation')).status).toBe(409);
		});

		it('is not confirmed by a link of another account, or one that was altered', async () => {
			const [, expires, signature] = (await mailedToken(bob)).split('.');
			for (const token of [
				`${ada.id}.${expires}.${signature}`,
				`${bob.id}.zzzzzzz.${signature}`,
				`${bob.id}.${expires}.${'A'.repeat(43)}`,
				'x',
			]) {
				expect((await world.auth.call('POST', `/confirm/${token}`)).status).toBe(404);
				const page = await world.auth.call('GET', `/confirm/${token}`, { headers: BROWSER });
				expect(page).toMatchObject({ status: 404, body: expect.stringContaining('Questo link non funziona') });
			}
			await knownAs(bob, { emailConfirmed: false });
		});
	});
});
