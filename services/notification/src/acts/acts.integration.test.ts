import { type Alert, type Preferences, TABLES, type WhyAnswer } from '@crowdvision/contracts';
import { onEachEngine } from '@crowdvision/testing/engines';
import { type PushService, startPushService } from '@crowdvision/testing/push-service';
import { startUpstream, type Upstream } from '@crowdvision/testing/upstream';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, type CallingWorld, openCallingWorld, type Person } from '../testing/calling-world.ts';

const PUSH: Preferences = { kinds: 'all', lowestSeverity: 'info', channels: ['push'] };
const BROWSER = { accept: 'text/html,*/*;q=0.8', 'accept-language': 'en' };

onEachEngine((mongoUrl) => {
	let world: CallingWorld;
	let pushes: PushService;
	let target: Upstream;
	let ada: Person;
	let bob: Person;

	beforeEach(async () => {
		pushes = await startPushService();
		target = await startUpstream('target');
		world = await openCallingWorld({ OUTBOUND_ALLOW: ['127.0.0.1'] }, mongoUrl ? { mongoUrl: mongoUrl() } : {});
		ada = await world.person('Ada');
		bob = await world.person('Bob', { memberships: ADMIN });
		for (const person of [ada, bob]) {
			await call(person, 'POST', '/subscriptions', pushes.subscription(`/${person.id}`));
			await call(person, 'PUT', '/preferences/museum', PUSH);
		}
		await call(bob, 'POST', '/domains/museum/webhooks', { url: `http://${target.address}/`, template: 'standard' });
	});
	afterEach(async () => {
		await world.stop();
		await pushes.stop();
		await target.kill();
	});

	const call = <T = unknown>(person: Person, method: string, path: string, body?: unknown) =>
		world.notification.call<T>(method, path, { token: person.token, ...(body !== undefined && { body }) });
	const pathOf = (url: string) => new URL(url).pathname.replace('/notification', '');
	/** Opens an alert; resolves with the paths of Ada's link and of the webhook's. */
	async function opened(): Promise<{ alert: Alert; byAda: string; byWebhook: string }> {
		await world.count(120);
		await waitFor('the messages', () => pushes.pushed.length === 2 && target.asked.length === 1);
		const [alert] = await world.alerts();
		const payload = pushes.pushed.find(({ path }) => path === `/${ada.id}`)!.payload as { act: string };
		const { data } = JSON.parse(target.asked[0]!.body) as { data: { act: string } };
		return { alert: alert!, byAda: pathOf(payload.act), byWebhook: pathOf(data.act) };
	}
	const state = async () => (await world.alerts())[0]!.state;

	describe('A7 the link in a message', () => {
		it('shows a page and changes nothing when it is opened, and acknowledges once by its button', async () => {
			const { byAda, byWebhook } = await opened();
			const page = await world.notification.call<string>('GET', byAda, { headers: BROWSER });
			expect(page).toMatchObject({ status: 200, body: expect.stringContaining('<button>I have it</button>') });
			expect(await state()).toBe('open');
			expect((await world.notification.call('POST', byAda)).status).toBe(200);
			expect(await state()).toBe('acknowledged');
			await waitFor('everybody to hear of it', () => pushes.pushed.length === 4 && target.asked.length === 2);
			expect(pushes.pushed.at(-1)!.payload).toMatchObject({ body: expect.stringContaining('Ada has it') });
			for (const path of [byAda, byWebhook]) {
				expect((await world.notification.call('POST', path)).status).toBe(409);
				const refused = await world.notification.call('GET', path, { headers: BROWSER });
				expect(refused).toMatchObject({ status: 409, body: expect.stringContaining('No longer needed') });
			}
		});

		it('of a webhook acknowledges for its domain', async () => {
			const { byWebhook } = await opened();
			expect((await world.notification.call('POST', byWebhook)).status).toBe(200);
			expect(await state()).toBe('acknowledged');
		});

		it('is refused when it was altered, or whoever got it is no longer of the domain', async () => {
			const { byAda } = await opened();
			expect((await world.notification.call('POST', `${byAda}x`)).status).toBe(404);
			expect((await world.notification.call('POST', '/act/nonsense')).status).toBe(404);
			const gone = { name: 'Ada', emailConfirmed: true, memberships: [], generation: 0 };
			await world.world.parts.bus.retain(TABLES.accounts, ada.id, JSON.stringify(gone));
			expect((await world.notification.call('POST', byAda)).status).toBe(404);
			expect(await state()).toBe('open');
		});
	});

	describe('A6 why', () => {
		it('says of each person why they were or were not called, to themselves and to staff', async () => {
			const eve = await world.person('Eve');
			const guest = await world.person('Gigi', { memberships: [{ domainName: 'museum', role: 'standard_customer' }] });
			await call(guest, 'PUT', '/preferences/museum', { ...PUSH, kinds: ['co2'] });
			const { alert } = await opened();
			const why = async (person: Person, of?: string) =>
				(await call<WhyAnswer>(person, 'GET', `/alerts/${alert.id}/why${of ? `?account=${of}` : ''}`)).body;
			await waitFor('Ada to be called', async () => (await why(ada)).called);
			expect(await why(ada)).toMatchObject({ called: true, text: 'was called', deliveries: [{ status: 'delivered' }] });
			expect(await why(eve)).toMatchObject({ called: false, reason: 'not_opted_in' });
			expect(await why(ada, guest.id)).toMatchObject({
				...{ called: false, reason: 'kind_off', text: 'does not want alerts of this kind' },
				deliveries: [{ status: 'suppressed', reason: 'kind_off' }],
			});
			expect(await why(ada, 'somebody-else')).toMatchObject({ called: false, reason: 'not_member' });
			expect((await call(guest, 'GET', `/alerts/${alert.id}/why?account=${ada.id}`)).status).toBe(403);
			const stranger = await world.person('Zoe', { memberships: [{ domainName: 'zoo', role: 'business_admin' }] });
			expect((await call(stranger, 'GET', `/alerts/${alert.id}/why`)).status).toBe(404);
		});
	});
});
