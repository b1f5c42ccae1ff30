import { randomUUID } from 'node:crypto';
import { CrowdVisionError, type Membership } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { SignJWT } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import { begin, MEMBER, next, open, useMuseum, world } from '../testing/museum.ts';

useMuseum();

/** A token that expires after a few seconds. */
async function shortToken(seconds: number, account: { id: string; memberships?: Membership[] }): Promise<string> {
	return new SignJWT({ name: 'Ada', memberships: account.memberships ?? [MEMBER] })
		.setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
		.setSubject(account.id)
		.setIssuer('crowdvision')
		.setAudience('account')
		.setIssuedAt()
		.setJti(randomUUID())
		.setExpirationTime(Math.ceil(Date.now() / 1000) + seconds)
		.sign(new TextEncoder().encode('a secret for tests only, of more than 32 characters'));
}

describe('the session of a dashboard', () => {
	const id = 'ada';
	beforeEach(() => begin());
	const renew = (dashboard: Awaited<ReturnType<typeof open>>, token: string) =>
		dashboard.socket.timeout(5000).emitWithAck('renew', { token });

	it('is announced to expire, goes on with a new token, and ends without one', async () => {
		const [renewed, ending] = [await open(await shortToken(2, { id })), await open(await shortToken(2, { id }))];
		for (const dashboard of [renewed, ending])
			expect(await dashboard.subscribe('museum-1')).toMatchObject({ ok: true });
		await waitFor('the notice', () => renewed.expiring.length > 0 && ending.expiring.length > 0);
		expect(renewed.expiring).toEqual([
			{ expiresAt: expect.any(Number), error: { code: 'unauthenticated', message: expect.any(String) } },
		]);
		expect(renewed.disconnected).toEqual([]);
		const outcome = await renew(renewed, await shortToken(600, { id }));
		expect(outcome).toMatchObject({ ok: true });
		expect((outcome as { expiresAt: number }).expiresAt).toBeGreaterThan(Date.now() + 500_000);
		await waitFor('the end of the other', () => ending.disconnected.length > 0);
		await world.tell(...next(3));
		await waitFor('what is new', () => renewed.readings.length === 3);
		expect(renewed.disconnected).toEqual([]);
		expect(ending.readings).toEqual([]);
	});

	it('refuses a token of another account or of a device, and keeps its own', async () => {
		const dashboard = await open(await shortToken(600, { id }));
		expect(await renew(dashboard, await shortToken(600, { id: 'eve' }))).toMatchObject({
			ok: false,
			error: { code: 'forbidden' },
		});
		for (const token of ['garbage', await world.parts.tokens.signDevice({ id, domainName: 'museum' })])
			expect(await renew(dashboard, token)).toMatchObject({ ok: false, error: { code: 'unauthenticated' } });
		expect(await renew(dashboard, 7 as unknown as string)).toMatchObject({
			ok: false,
			error: { code: 'bad_request', path: '/token' },
		});
		expect(await dashboard.subscribe('museum-1')).toMatchObject({ ok: true });
	});

	it('ends the subscriptions that a new token does not cover', async () => {
		const dashboard = await open(
			await shortToken(600, { id, memberships: [MEMBER, { domainName: 'zoo', role: 'admin' }] }),
		);
		for (const buildingId of ['museum-1', 'zoo-1'])
			expect(await dashboard.subscribe(buildingId)).toMatchObject({ ok: true });
		await world.tell(...next(1), ...next(1, { buildingId: 'zoo-1' }));
		await waitFor('both', () => dashboard.readings.length === 2);
		await renew(dashboard, await shortToken(600, { id }));
		await waitFor('the notice', () => dashboard.ended.length > 0);
		expect(dashboard.ended).toMatchObject([
			{ buildingId: 'zoo-1', ...new CrowdVisionError('not_found', 'There is no such building').toBody() },
		]);
		await world.tell(...next(1, { buildingId: 'zoo-1' }), ...next(1));
		await waitFor('the own one', () => dashboard.readings.length === 3);
		expect(dashboard.readings.map(({ buildingId }) => buildingId)).toEqual(['museum-1', 'zoo-1', 'museum-1']);
	});

	it('ends at once when it is revoked, and no other session does', async () => {
		const [ada, eve] = [await open(await shortToken(600, { id })), await open(await shortToken(600, { id: 'eve' }))];
		world.parts.tokens.revocations.set(id, JSON.stringify({ before: Math.floor(Date.now() / 1000), sessions: [] }));
		await waitFor('the end', () => ada.disconnected.length > 0);
		expect(await eve.subscribe('museum-1')).toMatchObject({ ok: true });
		await expect(open(await shortToken(600, { id }))).rejects.toMatchObject({ error: { code: 'unauthenticated' } });
	});
});
