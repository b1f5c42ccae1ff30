import type { Alert, DeliveryView, TestOutcome, WebhookView } from '@crowdvision/contracts';
import { onEachEngine } from '@crowdvision/testing/engines';
import { type Asked, startUpstream, type Upstream } from '@crowdvision/testing/upstream';
import { waitFor } from '@crowdvision/testing/wait';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, type CallingWorld, openCallingWorld, type Person, STAFF } from '../../testing/calling-world.ts';

type Created = WebhookView & { secret: string };

onEachEngine((mongoUrl) => {
	let world: CallingWorld;
	let target: Upstream;
	let status: number;
	let admin: Person;

	beforeEach(async () => {
		status = 200;
		target = await startUpstream('target', (_asked, response) => {
			// Undefined status: no answer at all.
			if (status > 0) response.writeHead(status).end('as told');
		});
		world = await openCallingWorld({ OUTBOUND_ALLOW: ['127.0.0.1'] }, mongoUrl ? { mongoUrl: mongoUrl() } : {});
		admin = await world.person('Anna', { memberships: ADMIN });
	});
	afterEach(async () => {
		await world.stop();
		await target.kill();
	});

	const call = <T>(person: Person, method: string, path: string, body?: unknown) =>
		world.notification.call<T>(method, path, { token: person.token, ...(body !== undefined && { body }) });
	const add = (body: object, person = admin, domain = 'museum') =>
		call<Created>(person, 'POST', `/domains/${encodeURIComponent(domain)}/webhooks`, {
			...{ url: `http://${target.address}/hook`, template: 'standard' },
			...body,
		});
	const eventsOf = (asked: readonly Asked[]) =>
		asked.map(({ body }) => (JSON.parse(body) as { type: string }).type.replace('alert.', ''));

	describe('A5 a webhook', () => {
		it('gets every change of an alert, signed with the secret that was shown once', async () => {
			const { status: answered, body: created } = await add({});
			expect(answered).toBe(201);
			expect(created.secret).toMatch(/^whsec_/);
			const listed = await call<{ webhooks: object[] }>(admin, 'GET', '/domains/museum/webhooks');
			expect(listed.body.webhooks).toEqual([{ ...created, secret: undefined }].map(({ secret: _, ...rest }) => rest));

			await world.count(120);
			await waitFor('the message', () => target.asked.length === 1);
			const [first] = target.asked;
			const message = new Webhook(created.secret).verify(first!.body, first!.headers as Record<string, string>);
			const [alert] = await world.alerts();
			expect(message).toMatchObject({
				type: 'alert.open',
				data: {
					alert: { id: alert!.id, kind: 'occupancy', value: 120, limit: 100 },
					text: { title: 'Critical: Museum', body: expect.stringContaining('120 people') },
					url: expect.stringMatching(/\/alerts\/[^/]+$/),
					act: expect.stringContaining('/notification/act/'),
				},
			});
			expect(() =>
				new Webhook(created.secret).verify(`${first!.body} `, first!.headers as Record<string, string>),
			).toThrow();

			await call(admin, 'POST', `/alerts/${alert!.id}/ack`);
			await waitFor('the acknowledgement', () => target.asked.length === 2);
			await world.count(20);
			await waitFor('the end', () => target.asked.length === 3);
			expect(eventsOf(target.asked)).toEqual(['open', 'acknowledged', 'resolved']);
			expect(JSON.parse(target.asked[1]!.body)).toMatchObject({
				data: { text: { body: expect.stringContaining('Anna has it') } },
			});
			expect(new Set(target.asked.map(({ headers }) => headers['webhook-id'])).size).toBe(3);
			await waitFor('balance', async () => (await world.metric('notification_delivery_imbalance')) === 0);
		});

		it.each([
			[
				'slack',
				(asked: Asked) => JSON.parse(asked.body),
				{ text: expect.stringContaining('Museum'), blocks: [{}, {}] },
			],
			[
				'teams',
				(asked: Asked) => JSON.parse(asked.body),
				{ type: 'message', attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive' }] },
			],
			[
				'ntfy',
				({ headers, body }: Asked) => ({ title: headers.title, priority: headers.priority, body }),
				{ title: 'Critico: Museum', priority: '5', body: expect.stringContaining('sopra il limite') },
			],
			[
				'telegram',
				(asked: Asked) => JSON.parse(asked.body),
				{ chat_id: '42', text: expect.stringContaining('Museum') },
			],
		] as const)(
			'of the template %s gets what its receiver takes, in its language',
			async (template, read, expected) => {
				await add({ template, url: `http://${target.address}/sendMessage?chat_id=42`, language: 'it' });
				await world.count(120);
				await waitFor('the message', () => target.asked.length === 1);
				expect(read(target.asked[0]!)).toMatchObject(expected);
			},
		);

		it('gets the severities and kinds it asked for, and nothing once it is removed', async () => {
			const air = await add({ kinds: ['co2'] });
			const info = await add({ severities: ['info'] });
			const all = await add({ url: `http://${target.address}/all` });
			await world.count(120);
			await waitFor('the message', () => target.asked.length === 1);
			expect(target.asked[0]!.path).toBe('/all');
			for (const { body } of [air, info, all])
				expect((await call(admin, 'DELETE', `/domains/museum/webhooks/${body.id}`)).status).toBe(204);
			await world.count(20);
			await waitFor('the end', async () => (await world.alerts())[0]?.state === 'resolved');
			expect(target.asked).toHaveLength(1);
		});

		it('is the business of the admins of its domain only, who add at most 20', async () => {
			const staff = await world.person('Bob', { memberships: STAFF });
			const stranger = await world.person('Eve', { memberships: [{ domainName: 'zoo', role: 'business_admin' }] });
			expect((await add({}, staff)).status).toBe(403);
			expect((await add({}, stranger)).status).toBe(404);
			const [first] = await Promise.all(Array.from({ length: 20 }, () => add({})));
			expect((await add({})).status).toBe(422);
			for (const [method, path] of [
				['GET', '/domains/museum/webhooks'],
				['DELETE', `/domains/museum/webhooks/${first!.body.id}`],
				['POST', `/domains/museum/webhooks/${first!.body.id}/test`],
				['DELETE', `/domains/zoo/webhooks/${first!.body.id}`],
			] as const)
				expect((await call(stranger, method, path)).status).toBe(404);
		});

		it('must lead where this installation may send', async () => {
			for (const url of [
				'http://192.168.1.1/',
				'https://localhost/',
				'https://[::1]/',
				'x',
				'https://a:b@example.org/',
			])
				expect(await add({ url })).toMatchObject({ status: 422, body: { error: { path: '/url' } } });
		});

		it('is tried by a message that says it is a test', async () => {
			const { id } = (await add({})).body;
			const test = () => call<TestOutcome>(admin, 'POST', `/domains/museum/webhooks/${id}/test`);
			expect((await test()).body).toEqual({ delivered: true });
			expect(target.asked[0]!.body).toContain('This is a test of this channel');
			status = 500;
			expect((await test()).body).toEqual({ delivered: false, reason: 'status 500: as told' });
		});
	});

	describe('A6 a message', () => {
		it('is tried again under the same key until the target takes it', async () => {
			await add({});
			status = 503;
			await world.count(120);
			await waitFor('the first try', () => target.asked.length === 1);
			status = 200;
			await waitFor('the second try', () => target.asked.length === 2);
			expect(new Set(target.asked.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
		});

		it('is a dead letter once its target has refused it, and can be sent again under the same key', async () => {
			await add({});
			status = 422;
			await world.count(120);
			const list = () => call<{ deadLetters: DeliveryView[] }>(admin, 'GET', '/domains/museum/dead-letters');
			const letters = await waitFor('the dead letter', async () => {
				const { deadLetters } = (await list()).body;
				return deadLetters.length > 0 && deadLetters;
			});
			expect(letters).toMatchObject([
				{
					channel: 'webhook',
					status: 'failed',
					reason: 'refused',
					text: 'the provider refused it: status 422: as told',
				},
			]);
			status = 200;
			const again = `/domains/museum/dead-letters/${letters[0]!.key}/send`;
			expect((await call(admin, 'POST', again)).status).toBe(202);
			await waitFor('the message', () => target.asked.length === 2);
			expect(target.asked.map(({ headers }) => headers['webhook-id'])).toEqual([letters[0]!.key, letters[0]!.key]);
			await waitFor('an empty list', async () => (await list()).body.deadLetters.length === 0);
			expect((await call(admin, 'POST', again)).status).toBe(409);
		});

		it('that hangs delays no other target, and is sent once more after a restart, under the same key', async () => {
			const fast = await startUpstream('fast');
			try {
				await add({});
				await add({ url: `http://${fast.address}/fast` });
				status = 0;
				await world.count(120);
				await waitFor('the slow target', () => target.asked.length === 1);
				// Stored as delivered: one that was only received is repeated.
				const delivered = 'notification_deliveries_total\\{channel="webhook",status="delivered"\\}';
				await waitFor('the fast one', async () => (await world.metric(delivered)) === 1);
				await world.again();
				status = 200;
				await waitFor('the repeat', () => target.asked.length === 2);
				expect(new Set(target.asked.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
				expect(fast.asked).toHaveLength(1);
				expect((await world.alerts()) as Alert[]).toMatchObject([{ state: 'open' }]);
			} finally {
				await fast.kill();
			}
		});
	});
});
