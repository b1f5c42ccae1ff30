import { beforeEach, describe, expect, it, vi } from 'vitest';
import { getAlerts } from '../../api/endpoints.ts';
import { fakeClock } from '../../testing/fake-clock.ts';
import { mount } from '../../testing/mount.ts';
import { fakeServices, type Services, settle } from '../../testing/services.ts';
import { mayAct, useSession } from './use-session.ts';

const ACCOUNT = { id: 'ada', name: 'Ada', memberships: [] };
const HOUR = 3600;

let services: Services;

beforeEach(() => {
	fakeClock();
	services = fakeServices({
		'GET /auth/first-run': (call) => void call.answer({ empty: false }),
		'POST /auth/refresh': (call) => void call.answer({ token: 't', expiresIn: HOUR }),
		'GET /auth/me': (call) => void call.answer(ACCOUNT),
		'POST /auth/logout': (call) => void call.answer({}),
		'POST /auth/login': (call) => void call.answer({}),
		'POST /auth/register': (call) => void call.answer({}),
		'POST /auth/domains': (call) => void call.answer({}),
	});
});

const refuse =
	(status: number, code: 'unauthenticated' | 'unavailable'): Services['answers'][string] =>
	(call) =>
		void call.refuse(status, code);
const expired = refuse(401, 'unauthenticated');
const away: Services['answers'][string] = (call) => void call.fail();
const renewals = () => services.log.filter((request) => request === 'POST /auth/refresh').length;

async function openSession() {
	const { result: session, unmount } = mount(() => useSession());
	await settle();
	return { session, unmount };
}

describe('the session', () => {
	it('is signed in when the browser has a valid cookie', async () => {
		const { session } = await openSession();
		expect(session.state.value).toEqual({ is: 'signed-in', account: ACCOUNT });
	});

	it('is signed out, and not expired, when the browser has no valid cookie', async () => {
		services.answers['POST /auth/refresh'] = expired;
		const { session } = await openSession();
		expect(session.state.value).toEqual({ is: 'signed-out', expired: false });
	});

	it('begins with the first account while there is none, and signs it in once it is created', async () => {
		services.answers['GET /auth/first-run'] = (call) => void call.answer({ empty: true });
		const { session } = await openSession();
		expect(session.state.value).toEqual({ is: 'first-run' });
		await session.createFirstAccount({ name: 'Ada', email: 'ada@example.org', password: 'a long password' });
		expect(session.state.value).toEqual({ is: 'signed-in', account: ACCOUNT });
		expect(services.log.slice(1, 3)).toEqual(['POST /auth/register', 'POST /auth/login']);
	});

	it('is unreachable while the server is away, asks again every three seconds and recovers by itself', async () => {
		services.answers['GET /auth/first-run'] = away;
		const { session } = await openSession();
		expect(session.state.value).toMatchObject({ is: 'unreachable', error: { code: 'network' } });
		vi.advanceTimersByTime(2999);
		expect(services.log).toHaveLength(1);
		vi.advanceTimersByTime(1);
		expect(services.log).toHaveLength(2);
		await settle();
		services.answers['GET /auth/first-run'] = (call) => void call.answer({ empty: false });
		vi.advanceTimersByTime(3000);
		await settle();
		expect(session.state.value.is).toBe('signed-in');
	});

	it('is renewed after three fifths of its lifetime, again and again', async () => {
		await openSession();
		for (const times of [1, 2, 3]) {
			expect(renewals()).toBe(times);
			vi.advanceTimersByTime(HOUR * 600 - 1);
			expect(renewals()).toBe(times);
			vi.advanceTimersByTime(1);
			await settle();
		}
	});

	it('stays signed in when a renewal fails temporarily, and tries again a minute later', async () => {
		const { session } = await openSession();
		services.answers['POST /auth/refresh'] = refuse(503, 'unavailable');
		vi.advanceTimersByTime(HOUR * 600);
		await settle();
		expect(session.state.value.is).toBe('signed-in');
		vi.advanceTimersByTime(59_999);
		expect(renewals()).toBe(2);
		vi.advanceTimersByTime(1);
		expect(renewals()).toBe(3);
	});

	it('expires as soon as any request is answered with 401, and is renewed no more', async () => {
		const { session } = await openSession();
		services.answers['GET /notification/alerts'] = expired;
		await expect(getAlerts()).rejects.toMatchObject({ code: 'unauthenticated' });
		expect(session.state.value).toEqual({ is: 'signed-out', expired: true });
		vi.advanceTimersByTime(HOUR * 10_000);
		expect(renewals()).toBe(1);
	});

	it('expires when its renewal is refused', async () => {
		const { session } = await openSession();
		services.answers['POST /auth/refresh'] = expired;
		await session.renew();
		expect(session.state.value).toEqual({ is: 'signed-out', expired: true });
	});

	it('takes over new memberships after a domain is created', async () => {
		const { session } = await openSession();
		const memberships = [{ domainName: 'works', role: 'business_admin' }];
		services.answers['GET /auth/me'] = (call) => void call.answer({ ...ACCOUNT, memberships });
		await session.createDomain('works');
		expect(session.state.value).toMatchObject({ is: 'signed-in', account: { memberships } });
	});

	it('ends with a sign-out, also when the server had ended it already', async () => {
		const { session } = await openSession();
		await session.signOut();
		expect(session.state.value).toEqual({ is: 'signed-out', expired: false });
		await session.signIn({ email: 'ada@example.org', password: 'a long password' });
		expect(session.state.value.is).toBe('signed-in');
		services.answers['POST /auth/logout'] = expired;
		await session.signOut();
		expect(session.state.value).toEqual({ is: 'signed-out', expired: false });
	});

	it('does not end when the server did not take the cookie back', async () => {
		const { session } = await openSession();
		services.answers['POST /auth/logout'] = away;
		await expect(session.signOut()).rejects.toMatchObject({ code: 'network' });
		expect(session.state.value.is).toBe('signed-in');
	});

	it('asks for nothing more after the page is closed', async () => {
		const { unmount } = await openSession();
		unmount();
		expect(vi.getTimerCount()).toBe(0);
		services.answers['GET /auth/first-run'] = away;
		const other = await openSession();
		other.unmount();
		expect(vi.getTimerCount()).toBe(0);
	});
});

describe('what an account may do', () => {
	it('follows from its role in one of the domains', () => {
		const memberships = [
			{ domainName: 'works', role: 'business_staff' },
			{ domainName: 'campus', role: 'standard_customer' },
		] as const;
		expect(mayAct(memberships, ['works'], 'business_staff')).toBe(true);
		expect(mayAct(memberships, ['works'], 'business_admin')).toBe(false);
		expect(mayAct(memberships, ['campus'], 'business_staff')).toBe(false);
		expect(mayAct(memberships, ['campus', 'works'], 'business_staff')).toBe(true);
		expect(mayAct(memberships, [], 'standard_customer')).toBe(false);
	});
});
