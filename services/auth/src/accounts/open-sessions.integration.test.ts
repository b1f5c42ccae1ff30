import type { SessionResponse, SessionView } from '@crowdvision/contracts';
import { onEachEngine } from '@crowdvision/testing/engines';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuthWorld, openAuthWorld, type Person } from '../testing/auth-world.ts';

let world: AuthWorld;
let ada: Person;

const signIn = async (userAgent: string): Promise<string> => {
	const body = { email: 'ada@example.org', password: 'correct horse' };
	const answer = await world.auth.call<SessionResponse>('POST', '/login', {
		body,
		headers: { 'user-agent': userAgent },
	});
	expect(answer.status).toBe(200);
	return answer.body.token;
};
type Page = { sessions: SessionView[]; nextCursor?: string };
const list = async (token: string, query = '') =>
	(await world.auth.call<Page>('GET', `/sessions${query}`, { token })).body;
const statusOf = async (token: string) => (await world.auth.call('GET', '/me', { token })).status;

onEachEngine((mongoUrl) => {
	beforeEach(async () => {
		world = await openAuthWorld({}, mongoUrl ? { mongoUrl: mongoUrl() } : {});
		ada = await world.person('ada');
	});
	afterEach(() => world.stop());

	describe("P14 the list of one's sessions", () => {
		it('names where each was begun, marks the one that asks, and shows nothing of other accounts', async () => {
			await world.person('bob');
			const phone = await signIn('Phone');
			const { sessions } = await list(phone);
			expect(sessions).toHaveLength(2);
			const byUse = Object.fromEntries(sessions.map((session) => [session.userAgent === 'Phone', session]));
			expect(byUse.true).toMatchObject({ current: true, address: expect.stringMatching(/127\.0\.0\.1$|::1$/) });
			expect(byUse.false).toMatchObject({ current: false });
		});

		it('keeps a renewed session as one, which ends with every token that it was renewed by', async () => {
			const renewed = await world.refreshed(ada);
			const { sessions } = await list(renewed.token);
			expect(sessions).toMatchObject([{ current: true }]);
			await world.call(renewed, 'POST', '/logout');
			expect([await statusOf(ada.token), await statusOf(renewed.token)]).toEqual([401, 401]);
		});

		it('comes in pages, each session once', async () => {
			const tokens = [];
			for (let n = 0; n < 5; n++) tokens.push(await signIn(`Screen ${n}`));
			const seen: string[] = [];
			for (let cursor = ''; ; ) {
				const { sessions, nextCursor } = await list(tokens[0]!, `?limit=2${cursor}`);
				seen.push(...sessions.map(({ id }) => id));
				if (nextCursor === undefined) break;
				expect(sessions).toHaveLength(2);
				cursor = `&cursor=${nextCursor}`;
			}
			expect([seen.length, new Set(seen).size]).toEqual([6, 6]);
		});

		it('ends one session, and no other', async () => {
			const [lost, kept] = [await signIn('Lost phone'), await signIn('Laptop')];
			const { sessions } = await list(kept);
			const { id } = sessions.find(({ userAgent }) => userAgent === 'Lost phone')!;
			expect((await world.auth.call('DELETE', `/sessions/${id}`, { token: kept })).status).toBe(204);
			expect([await statusOf(lost), await statusOf(kept)]).toEqual([401, 200]);
			expect((await list(kept)).sessions.map(({ userAgent }) => userAgent)).not.toContain('Lost phone');
			expect((await world.auth.call('DELETE', `/sessions/${id}`, { token: kept })).status).toBe(404);
		});

		it('ends no session of another account', async () => {
			const bob = await world.person('bob');
			const { id } = (await list(ada.token)).sessions[0]!;
			expect((await world.call(bob, 'DELETE', `/sessions/${id}`)).status).toBe(404);
			expect(await statusOf(ada.token)).toBe(200);
		});

		it('ends all sessions but the one that asks, which gets a new token', async () => {
			const [phone, laptop] = [await signIn('Phone'), await signIn('Laptop')];
			const answer = await world.auth.call<SessionResponse>('DELETE', '/sessions', { token: laptop });
			expect(answer.status).toBe(200);
			expect([await statusOf(phone), await statusOf(ada.token), await statusOf(answer.body.token)]).toEqual([
				401, 401, 200,
			]);
			expect((await list(answer.body.token)).sessions).toMatchObject([{ current: true }]);
		});

		it('is empty of the old after a new password', async () => {
			await signIn('Phone');
			const body = { password: 'correct horse', newPassword: 'battery staple' };
			const { token } = (await world.auth.call<SessionResponse>('PUT', '/me/password', { token: ada.token, body }))
				.body;
			expect((await list(token)).sessions).toMatchObject([{ current: true }]);
		});
	});
});
