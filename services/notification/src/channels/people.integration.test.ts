import { type Preferences, TABLES } from '@crowdvision/contracts';
import { onEachEngine } from '@crowdvision/testing/engines';
import { type PushService, startPushService } from '@crowdvision/testing/push-service';
import { type MailServer, startMailServer } from '@crowdvision/testing/smtp';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CallingWorld, openCallingWorld, type Person } from '../testing/calling-world.ts';

const ALL: Preferences = { kinds: 'all', lowestSeverity: 'info', channels: ['push', 'mail'] };

onEachEngine((mongoUrl) => {
	let world: CallingWorld;
	let pushes: PushService;
	let mail: MailServer;
	let ada: Person;

	beforeEach(async () => {
		pushes = await startPushService();
		mail = await startMailServer();
		world = await openCallingWorld(
			{ OUTBOUND_ALLOW: ['127.0.0.1'], SMTP_URL: mail.url, MAIL_FROM: 'crowd@museum.example' },
			mongoUrl ? { mongoUrl: mongoUrl() } : {},
		);
		ada = await world.person('Ada');
	});
	afterEach(async () => {
		await world.stop();
		await pushes.stop();
		await mail.stop();
	});

	const call = <T = unknown>(person: Person, method: string, path: string, body?: unknown) =>
		world.notification.call<T>(method, path, { token: person.token, ...(body !== undefined && { body }) });
	const wants = async (person: Person, change: Partial<Preferences> = {}, domain = 'museum') => {
		const answer = await call(person, 'PUT', `/preferences/${encodeURIComponent(domain)}`, { ...ALL, ...change });
		expect(answer.status).toBe(200);
	};
	const enrol = (person: Person, path: string) =>
		call<{ id: string }>(person, 'POST', '/subscriptions', pushes.subscription(path));

	describe('A5 Web Push', () => {
		it('shows a device what happened, encrypted for it and signed by the key that was given out', async () => {
			const { body } = await world.notification.call<{ publicKey: string }>('GET', '/public-key');
			expect((await enrol(ada, '/phone')).status).toBe(201);
			await wants(ada, { channels: ['push'] });
			await world.count(120);
			const [message] = await waitFor('the message', () => pushes.pushed.length === 1 && pushes.pushed);
			const [alert] = await world.alerts();
			expect(message).toMatchObject({
				path: '/phone',
				publicKey: body.publicKey,
				topic: expect.stringMatching(/^[\w-]{32}$/),
				payload: {
					...{ alertId: alert!.id, state: 'open', severity: 'critical', tag: alert!.id, title: 'Critical: Museum' },
					body: expect.stringContaining('120 people'),
					act: expect.stringContaining('/notification/act/'),
				},
			});
			expect(pushes.refused).toEqual([]);
			await world.again();
			expect((await world.notification.call('GET', '/public-key')).body).toEqual(body);
		});

		it('is replaced on every device of everybody once somebody has it', async () => {
			const bob = await world.person('Bob');
			for (const [person, path] of [
				[ada, '/ada/phone'],
				[ada, '/ada/laptop'],
				[bob, '/bob/phone'],
			] as const)
				await enrol(person, path);
			for (const person of [ada, bob]) await wants(person, { channels: ['push'] });
			await world.count(120);
			await waitFor('three messages', () => pushes.pushed.length === 3);
			const [alert] = await world.alerts();
			expect((await call(bob, 'POST', `/alerts/${alert!.id}/ack`)).status).toBe(200);
			await waitFor('their replacements', () => pushes.pushed.length === 6);
			for (const { payload } of pushes.pushed.slice(3))
				expect(payload).toMatchObject({
					state: 'acknowledged',
					tag: alert!.id,
					body: expect.stringContaining('Bob has it'),
				});
		});

		it('goes in the language of the person, without a link to those who may not acknowledge', async () => {
			const guest = await world.person('Gigi', {
				memberships: [{ domainName: 'museum', role: 'standard_customer' }],
				language: 'it',
			});
			await enrol(guest, '/phone');
			await wants(guest, { channels: ['push'] });
			await world.count(120);
			const [message] = await waitFor('the message', () => pushes.pushed.length === 1 && pushes.pushed);
			expect(message!.payload).toMatchObject({
				title: 'Critico: Museum',
				body: expect.stringContaining('sopra il limite'),
			});
			expect(message!.payload).not.toHaveProperty('act');
		});

		it.each([404, 410])('forgets a device whose push service answers %d', async (status) => {
			await enrol(ada, '/phone');
			await wants(ada, { channels: ['push'] });
			pushes.status = status;
			await world.count(120);
			await waitFor('an empty list', async () => {
				const { body } = await call<{ subscriptions: unknown[] }>(ada, 'GET', '/subscriptions');
				return body.subscriptions.length === 0;
			});
		});

		it('takes 20 devices of an account, at addresses that may be asked, and shows them to nobody else', async () => {
			const { id } = (await enrol(ada, '/0')).body;
			expect((await enrol(ada, '/0')).status).toBe(200);
			for (let n = 1; n < 20; n++) expect((await enrol(ada, `/${n}`)).status).toBe(201);
			expect((await enrol(ada, '/20')).status).toBe(422);
			const bob = await world.person('Bob');
			expect((await call(bob, 'DELETE', `/subscriptions/${id}`)).status).toBe(404);
			expect((await call<object>(bob, 'GET', '/subscriptions')).body).toEqual({ subscriptions: [] });
			const inner = { ...pushes.subscription('/x'), endpoint: 'https://192.168.1.1/x' };
			expect((await call(bob, 'POST', '/subscriptions', inner)).status).toBe(422);
			expect((await call(ada, 'POST', `/subscriptions/${id}/test`)).body).toEqual({ delivered: true });
			expect(pushes.pushed).toMatchObject([
				{ path: '/0', payload: { body: expect.stringContaining('This is a test') } },
			]);
			expect((await call(ada, 'DELETE', `/subscriptions/${id}`)).status).toBe(204);
		});
	});

	describe('A5 an e-mail', () => {
		it('goes to a confirmed address when an alert opens and when it is over, and ends by its link', async () => {
			const eve = await world.person('Eve', { emailConfirmed: false });
			for (const person of [ada, eve]) await wants(person, { channels: ['mail'] });
			await world.count(120);
			await waitFor('the e-mail', () => mail.mails.length === 1);
			const [message] = mail.mails;
			expect(message).toMatchObject({
				...{ to: ['ada@example.org'], from: 'crowd@museum.example', subject: 'Critical: Museum' },
				messageId: expect.stringMatching(/^<[\w-]{32}@museum\.example>$/),
				text: expect.stringContaining('/notification/act/'),
			});
			const [alert] = await world.alerts();
			await call(ada, 'POST', `/alerts/${alert!.id}/ack`);
			await world.count(20);
			await waitFor('the second e-mail', () => mail.mails.length === 2);
			expect(mail.mails[1]).toMatchObject({ subject: 'Over: Museum', to: ['ada@example.org'] });

			const path = new URL(message!.unsubscribe).pathname.replace('/notification', '');
			expect((await world.notification.call('GET', path)).status).toBe(200);
			expect((await call<Preferences>(ada, 'GET', '/preferences/museum')).body.channels).toEqual(['mail']);
			expect((await world.notification.call('POST', path)).status).toBe(200);
			expect((await call<Preferences>(ada, 'GET', '/preferences/museum')).body.channels).toEqual([]);
			expect((await world.notification.call('POST', `${path}x`)).status).toBe(404);
		});
	});

	describe('A5 preferences', () => {
		it('have nothing sent before they are set, and are of members only', async () => {
			await enrol(ada, '/phone');
			expect((await call(ada, 'GET', '/preferences/museum')).body).toEqual({
				...{ kinds: 'all', lowestSeverity: 'warning', channels: [] },
			});
			const stranger = await world.person('Zoe', { memberships: [{ domainName: 'zoo', role: 'business_admin' }] });
			expect((await call(stranger, 'GET', '/preferences/museum')).status).toBe(404);
			expect((await call(stranger, 'PUT', '/preferences/museum', ALL)).status).toBe(404);
			expect((await call(ada, 'PUT', '/preferences/museum', { ...ALL, channels: ['fax'] })).status).toBe(422);
			await world.count(120);
			await waitFor('the alert', async () => (await world.alerts()).length === 1);
			expect(pushes.pushed).toEqual([]);
			expect(mail.mails).toEqual([]);
		});

		it('of somebody who left the domain call nobody, also where a message was waiting', async () => {
			const leaver = await world.person('Lea');
			for (const [person, path] of [
				[ada, '/ada'],
				[leaver, '/lea'],
			] as const) {
				await enrol(person, path);
				await wants(person, { channels: ['push'] });
			}
			pushes.status = 503;
			await world.count(120);
			await waitFor('the first tries', () => pushes.turnedAway === 2);
			const account = { name: 'Lea', emailConfirmed: true, memberships: [], generation: 0 };
			await world.world.parts.bus.retain(TABLES.accounts, leaver.id, JSON.stringify(account));
			pushes.status = 201;
			await waitFor('the message to Ada', () => pushes.pushed.some(({ path }) => path === '/ada'));
			await world.count(20);
			await waitFor('the end', () => pushes.pushed.filter(({ path }) => path === '/ada').length === 2);
			expect(pushes.pushed.some(({ path }) => path === '/lea')).toBe(false);
		});

		it('do not call while the building is under maintenance, and say so', async () => {
			await enrol(ada, '/phone');
			await wants(ada);
			const maintenance = [{ from: Date.now() - 3600_000, to: Date.now() + 3600_000 }];
			expect((await call(ada, 'PUT', '/buildings/museum-1/policy', { maintenance })).status).toBe(200);
			await world.count(120);
			await waitFor('the alert', async () => (await world.alerts()).length === 1);
			expect((await call(ada, 'PUT', '/buildings/museum-1/policy', {})).status).toBe(200);
			await world.count(20);
			await world.count(130);
			await waitFor('the next alert', () => pushes.pushed.length === 1 && mail.mails.length === 1);
			const [second] = await world.alerts();
			expect(pushes.pushed[0]!.payload).toMatchObject({ alertId: second!.id });
		});

		it('and devices are deleted with their account', async () => {
			await enrol(ada, '/phone');
			await wants(ada);
			await world.world.parts.bus.retain(TABLES.removedAccounts, ada.id, JSON.stringify({ at: Date.now() }));
			await waitFor('the devices to go', async () => {
				const { body } = await call<{ subscriptions: unknown[] }>(ada, 'GET', '/subscriptions');
				return body.subscriptions.length === 0;
			});
			expect((await call<Preferences>(ada, 'GET', '/preferences/museum')).body.channels).toEqual([]);
		});
	});
});
