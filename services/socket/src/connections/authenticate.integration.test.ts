import { createHmac, randomUUID } from 'node:crypto';
import { SESSION_COOKIE, Tokens } from '@crowdvision/service-kit';
import { waitFor } from '@crowdvision/testing/wait';
import { beforeEach, describe, expect, it } from 'vitest';
import { connectDashboard } from '../testing/dashboard.ts';
import { begin, MEMBER, open, service, useMuseum, world } from '../testing/museum.ts';

useMuseum();

describe('the sign-in of a dashboard', () => {
	const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
	const handMade = (changed: object, secret: string, alg = 'HS256') => {
		const now = Math.floor(Date.now() / 1000);
		const claims = {
			sub: randomUUID(),
			name: 'Eve',
			memberships: [MEMBER],
			iss: 'crowdvision',
			aud: 'account',
			iat: now,
			exp: now + 600,
			jti: 'x',
			...changed,
		};
		const body = `${encode({ alg, typ: 'JWT' })}.${encode(claims)}`;
		return alg === 'none' ? `${body}.` : `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
	};
	const SECRET = 'a secret for tests only, of more than 32 characters';
	const refused = { error: { code: 'unauthenticated' } };

	beforeEach(() => begin());

	it('accepts a valid token of an account', async () => {
		expect((await open(handMade({}, SECRET))).socket.connected).toBe(true);
	});

	it('refuses no token, and one with alg none, of another secret, expired, or of a device', async () => {
		await expect(connectDashboard(service.url, undefined)).rejects.toMatchObject(refused);
		await expect(open('garbage')).rejects.toMatchObject(refused);
		await expect(open(handMade({}, SECRET, 'none'))).rejects.toMatchObject(refused);
		await expect(open(handMade({}, 'another secret of more than 32 characters'))).rejects.toMatchObject(refused);
		await expect(open(handMade({ exp: Math.floor(Date.now() / 1000) - 1 }, SECRET))).rejects.toMatchObject(refused);
		await expect(open(await world.parts.tokens.signDevice({ id: 'd1', domainName: 'museum' }))).rejects.toMatchObject(
			refused,
		);
		await expect(
			open(await new Tokens('x'.repeat(40)).signAccount({ id: 'eve', name: 'Eve', memberships: [MEMBER] })),
		).rejects.toMatchObject(refused);
	});

	it('accepts the session cookie of its own site, and from no other site', async () => {
		const cookie = `other=1; ${SESSION_COOKIE}=${await world.token(MEMBER)}`;
		const enter = (origin?: string) =>
			connectDashboard(service.url, undefined, { extraHeaders: { cookie, ...(origin && { origin }) } });
		for (const origin of [undefined, service.url]) (await enter(origin)).close();
		await expect(enter('https://evil.example')).rejects.toMatchObject(refused);
		await expect(enter('null')).rejects.toMatchObject(refused);
	});

	it('ends when the token expires', async () => {
		const dashboard = await open(handMade({ exp: Math.floor(Date.now() / 1000) + 2 }, SECRET));
		expect(await dashboard.subscribe('museum-1')).toMatchObject({ ok: true });
		await waitFor('the end of the session', () => dashboard.disconnected.length > 0);
		expect(dashboard.disconnected).toEqual(['io server disconnect']);
	});
});
