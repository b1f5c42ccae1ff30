import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokens } from '@crowdvision/service-kit';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Registry } from '../registry.ts';
import { Credentials } from './credentials.ts';

const SECRET = 'a secret for tests only, of more than 32 characters';
const tokens = new Tokens(SECRET);
let dir: string;
let registry: Registry;
let credentials: Credentials;
beforeAll(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-credentials-'));
	registry = Registry.open(join(dir, 'registry'));
	credentials = new Credentials(tokens, registry);
});
afterAll(async () => {
	await registry.close();
	await rm(dir, { recursive: true });
});

/** A token with these claims, signed with the right secret. */
const signed = (claims: object, expiresAt = Math.floor(Date.now() / 1000) + 60, audience = 'device') =>
	new SignJWT({ sub: 'device:d', domainName: 'acme', iat: expiresAt - 60, jti: 'j', ...claims })
		.setProtectedHeader({ alg: 'HS256' })
		.setIssuer('crowdvision')
		.setAudience(audience)
		.setExpirationTime(expiresAt)
		.sign(new TextEncoder().encode(SECRET));

describe("a device's token", () => {
	it('gives its sender the scope of the token, each time', async () => {
		const token = await tokens.signDevice({ id: 'd', domainName: 'acme', sensorIds: ['a'], buildingId: 'b1' });
		const sender = {
			id: 'd',
			domainName: 'acme',
			sensorIds: new Set(['a']),
			buildingId: 'b1',
			issuedAt: expect.any(Number),
		};
		for (let i = 0; i < 2; i++) expect(await credentials.sender(token)).toEqual(sender);
		expect(await credentials.namedSender('d', token)).toEqual(sender);
	});

	it.each<[string, () => Promise<string | undefined>]>([
		['missing', async () => undefined],
		['empty', async () => ''],
		['signed with another secret', () => new Tokens(`${SECRET}!`).signDevice({ id: 'd', domainName: 'acme' })],
		["an account's", () => tokens.signAccount({ id: 'd', name: 'Ada', memberships: [] })],
		['expired', () => signed({}, 1000)],
		['for another audience', () => signed({}, undefined, 'account')],
		['not for a device', () => signed({ sub: 'd' })],
		['without a domain', () => signed({ domainName: undefined })],
		['without a list of sensors', () => signed({ sensorIds: 'all' })],
	])('is refused if it is %s', async (_what, token) => {
		const bad = await token();
		for (let i = 0; i < 2; i++)
			await expect(credentials.sender(bad)).rejects.toMatchObject({ code: 'unauthenticated' });
	});

	it('must belong to the device that sends it', async () => {
		const token = await tokens.signDevice({ id: 'd', domainName: 'acme' });
		for (const id of [undefined, '', 'D', 'd ', 'dd', 'device:d']) {
			await expect(credentials.namedSender(id, token)).rejects.toMatchObject({ code: 'unauthenticated' });
		}
	});

	it('is refused once it has expired, although it was accepted before', async () => {
		vi.useFakeTimers({ toFake: ['Date'] });
		try {
			const token = await signed({}, Math.floor(Date.now() / 1000) + 30);
			await credentials.sender(token);
			vi.setSystemTime(Date.now() + 31_000);
			await expect(credentials.sender(token)).rejects.toMatchObject({
				code: 'unauthenticated',
				message: 'The token has expired',
			});
		} finally {
			vi.useRealTimers();
		}
	});
});
