import { randomUUID } from 'node:crypto';
import { followTokens, PublicKeys, Tokens } from '@crowdvision/service-kit';
import { openServiceWorld, type Served, type ServiceWorld } from '@crowdvision/testing/service-world';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Auth, createAuth } from '../index.ts';

let world: ServiceWorld;
let auth: Served & { service: Auth };
/** The tokens of auth's process, and of another process that is connected to it only by the bus. */
let signer: Tokens;
let verifier: Tokens;
const ADMIN = randomUUID();

beforeEach(async () => {
	world = await openServiceWorld();
	[signer, verifier] = [new Tokens(new PublicKeys()), new Tokens(new PublicKeys())];
	const { bus, logger } = world.parts;
	auth = await world.serve((parts) => createAuth({ ...parts, tokens: signer }, { ADMINS: [ADMIN] }));
	for (const tokens of [signer, verifier]) await followTokens(tokens, bus, logger);
});
afterEach(async () => {
	vi.useRealTimers();
	await world.stop();
});

const someone = () => signer.signAccount({ id: randomUUID(), name: 'Ada', memberships: [] });
const admin = () => signer.signAccount({ id: ADMIN, name: 'Root', memberships: [] });
const kidOf = (token: string) =>
	(JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: string }).kid;
const later = (ms: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });

describe('signing by key pair', () => {
	it('lets only auth sign and every process verify, with public keys from the bus and over HTTP', async () => {
		const token = await someone();
		await expect(verifier.verifyAccount(token)).resolves.toMatchObject({ name: 'Ada' });
		await expect(verifier.signAccount({ id: 'x', name: 'X', memberships: [] })).rejects.toMatchObject({
			code: 'unavailable',
		});
		const { body } = await auth.call<{ keys: object[] }>('GET', '/.well-known/jwks.json');
		expect(body.keys).toEqual([
			{ kty: 'OKP', crv: 'Ed25519', x: expect.any(String), kid: kidOf(token), alg: 'EdDSA', use: 'sig' },
		]);
	});

	it('rotates keys: a new key signs after a minute, the old one verifies until it is withdrawn', async () => {
		const [before, device] = [await someone(), await auth.service.issueDevice({ domainName: 'museum', name: 'door' })];
		const { status, body } = await auth.call<{ kid: string }>('POST', '/keys/rotate', { token: await admin() });
		expect(status).toBe(201);
		expect(kidOf(await someone())).toBe(kidOf(before));
		later(61_000);
		const after = await someone();
		expect(kidOf(after)).toBe(body.kid);
		for (const token of [before, after]) await expect(verifier.verifyAccount(token)).resolves.toBeDefined();
		expect((await auth.call('DELETE', `/keys/${body.kid}`, { token: await admin() })).status).toBe(409);
		expect((await auth.call('DELETE', `/keys/${kidOf(before)}`, { token: await admin() })).status).toBe(204);
		await vi.waitFor(() => expect(verifier.verifyAccount(before)).rejects.toMatchObject({ code: 'unauthenticated' }));
		await expect(verifier.verifyDevice(device.token)).rejects.toMatchObject({ code: 'unauthenticated' });
		await expect(verifier.verifyAccount(after)).resolves.toBeDefined();
	});

	it('lets only admins of the platform list, rotate and withdraw keys', async () => {
		for (const [method, path] of [
			['GET', '/keys'],
			['POST', '/keys/rotate'],
			['DELETE', '/keys/x'],
		] as const) {
			expect((await auth.call(method, path)).status).toBe(401);
			expect((await auth.call(method, path, { token: await someone() })).status).toBe(403);
		}
		expect(await auth.call('GET', '/keys', { token: await admin() })).toMatchObject({
			status: 200,
			body: { keys: [{ state: 'signing' }] },
		});
	});

	it('signs with the same key after a restart', async () => {
		const kid = kidOf(await someone());
		await auth.close();
		const again = new Tokens(new PublicKeys());
		await world.serve((parts) => createAuth({ ...parts, tokens: again }));
		expect(kidOf(await again.signAccount({ id: 'x', name: 'X', memberships: [] }))).toBe(kid);
	});
});
