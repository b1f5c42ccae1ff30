import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import type { PublicSigningKey } from '@crowdvision/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PublicKeys, SharedSecret } from './token-keys.ts';
import { ACCOUNT_SECONDS, Tokens } from './tokens.ts';

const SECRET = 'a secret for tests only, of more than 32 characters';
const MEMBER = { domainName: 'museum', role: 'standard_customer' } as const;
const refused = { code: 'unauthenticated' };

const encode = (part: object | string) =>
	Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

function claims(changed: object = {}) {
	const now = Math.floor(Date.now() / 1000);
	const whole = {
		sub: randomUUID(),
		name: 'Eve',
		memberships: [MEMBER],
		iss: 'crowdvision',
		aud: 'account',
		iat: now,
		exp: now + 600,
		jti: randomUUID(),
	};
	return { ...whole, ...changed };
}

function hmac(payload: object, secret: string | Buffer, header: object = {}): string {
	const body = `${encode({ alg: 'HS256', typ: 'JWT', ...header })}.${encode(payload)}`;
	return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}

function eddsa(payload: object, key: KeyObject, header: object): string {
	const body = `${encode({ alg: 'EdDSA', typ: 'JWT', ...header })}.${encode(payload)}`;
	return `${body}.${sign(null, Buffer.from(body), key).toString('base64url')}`;
}

/** A key pair of auth's, as its owner and as its verifiers have it. */
function keyPair(kid: string) {
	const { privateKey, publicKey } = generateKeyPairSync('ed25519');
	const { x } = publicKey.export({ format: 'jwk' }) as { x: string };
	return {
		privateKey,
		publicKey,
		jwk: { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' } satisfies PublicSigningKey,
	};
}

afterEach(() => {
	vi.useRealTimers();
});

const PAIR = keyPair('k1');
const FOREIGN = keyPair('k9');

interface Mode {
	tokens(): Tokens;
	make(payload: object, header?: object): string;
	/** As `make`, but by somebody else's key. */
	forge(payload: object, header?: object): string;
}

const MODES: Record<string, Mode> = {
	'by shared secret': {
		tokens: () => new Tokens(SECRET),
		make: (payload, header) => hmac(payload, SECRET, header),
		forge: (payload, header) => hmac(payload, 'another secret of more than thirty-two characters', header),
	},
	'by key pair': {
		tokens: () => {
			const keys = new PublicKeys();
			keys.set(PAIR.jwk);
			return new Tokens(keys);
		},
		make: (payload, header) => eddsa(payload, PAIR.privateKey, { kid: 'k1', ...header }),
		forge: (payload, header) => eddsa(payload, FOREIGN.privateKey, { kid: 'k1', ...header }),
	},
};

describe.each(Object.entries(MODES))('token attacks, signed %s', (_name, { tokens: open, make, forge }) => {
	let tokens: Tokens;
	beforeEach(() => {
		tokens = open();
	});
	const isRefused = async (token: string) => {
		// Twice: nothing that was refused may be remembered as good.
		for (let n = 0; n < 2; n++) await expect(tokens.verifyAccount(token)).rejects.toMatchObject(refused);
	};

	it('made by hand with the right key pass, so that the refusals below are for the right reason', async () => {
		const payload = claims();
		expect(await tokens.verifyAccount(make(payload))).toEqual(payload);
	});

	it('alg none', async () => {
		for (const alg of ['none', 'None', 'NONE', '']) {
			const bare = `${encode({ alg, typ: 'JWT', kid: 'k1' })}.${encode(claims())}`;
			await isRefused(bare);
			await isRefused(`${bare}.`);
			await isRefused(`${bare}.${make(claims()).split('.')[2]}`);
		}
	});

	it('foreign key', () => isRefused(forge(claims())));

	it('expired, also one that was good before', async () => {
		await isRefused(make(claims({ exp: Math.floor(Date.now() / 1000) - 1 })));
		await isRefused(make(claims({ exp: undefined })));
		const token = make(claims());
		await tokens.verifyAccount(token);
		vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 601_000 });
		await isRefused(token);
	});

	it('not yet valid', async () => {
		const later = Math.floor(Date.now() / 1000) + 300;
		await isRefused(make(claims({ nbf: later })));
		await isRefused(make(claims({ iat: later })));
		await expect(tokens.verifyAccount(make(claims({ iat: later - 290 })))).resolves.toBeDefined();
	});

	it('is not taken for not yet valid by a clock that was never set', async () => {
		const token = make(claims());
		vi.useFakeTimers({ toFake: ['Date'], now: 60_000 });
		await expect(tokens.verifyAccount(token)).resolves.toBeDefined();
	});

	it('wrong audience and wrong issuer', async () => {
		await isRefused(make(claims({ aud: 'another' })));
		await isRefused(make(claims({ aud: undefined })));
		await isRefused(make(claims({ iss: 'another' })));
	});

	it('tampered memberships', async () => {
		const [header, , signature] = make(claims({ memberships: [] })).split('.');
		await isRefused(`${header}.${encode(claims())}.${signature}`);
		await isRefused(make(claims({ memberships: [{ domainName: 'museum', role: 'root' }] })));
		await isRefused(make(claims({ memberships: 'admin' })));
	});

	it('tampered, with the signature of one that was verified before', async () => {
		const good = make(claims({ memberships: [] }));
		await tokens.verifyAccount(good);
		const [header, , signature] = good.split('.');
		await isRefused(`${header}.${encode(claims())}.${signature}`);
	});

	it('truncated at any place', async () => {
		const token = make(claims());
		for (let length = 0; length < token.length; length += 7) await isRefused(token.slice(0, length));
		await isRefused(token.slice(0, -1));
		await isRefused('a.b.c');
	});

	it("a device's used as an account's, and the reverse", async () => {
		const device = make(claims({ sub: 'device:d1', aud: 'device', domainName: 'museum' }));
		await expect(tokens.verifyDevice(device)).resolves.toMatchObject({ sub: 'device:d1' });
		await isRefused(device);
		const account = make(claims());
		await tokens.verifyAccount(account);
		await expect(tokens.verifyDevice(account)).rejects.toMatchObject(refused);
	});

	it('keys that the token brings itself: jwk, jku, x5u, x5c', async () => {
		const brought = {
			jwk: FOREIGN.jwk,
			jku: 'http://127.0.0.1:1/jwks.json',
			x5u: 'http://127.0.0.1:1/x.pem',
			x5c: ['AAAA'],
		};
		await isRefused(forge(claims(), brought));
		await isRefused(eddsa(claims(), FOREIGN.privateKey, { kid: 'k9', ...brought }));
	});

	it('an extension it says must be understood (crit)', () => isRefused(make(claims(), { crit: ['exp'], exp: 1 })));

	it('are not verified anew each time, and stay what they were whatever a reader does to them', async () => {
		const token = make(claims());
		const first = await tokens.verifyAccount(token);
		expect(await tokens.verifyAccount(token)).toBe(first);
		expect(() => first.memberships.push({ domainName: 'evil', role: 'admin' })).toThrow();
	});

	it('are void when the account was signed out, and when its memberships changed', async () => {
		const mine = claims();
		const [token, other] = [make(mine), make(claims({ sub: mine.sub }))];
		await tokens.verifyAccount(token);
		tokens.revocations.set(mine.sub, JSON.stringify({ before: 0, sessions: [mine.jti] }));
		await isRefused(token);
		await expect(tokens.verifyAccount(other)).resolves.toBeDefined();
		tokens.revocations.set(mine.sub, JSON.stringify({ before: mine.iat, sessions: [] }));
		await isRefused(other);
		await expect(tokens.verifyAccount(make(claims({ sub: mine.sub, iat: mine.iat + 1 })))).resolves.toBeDefined();
		await expect(tokens.verifyAccount(token, { evenIfRevoked: true })).resolves.toBeDefined();
	});
});

describe('token attacks between the two ways of signing', () => {
	it('key confusion: the public key as the secret of an HMAC', async () => {
		const keys = new PublicKeys();
		keys.set(PAIR.jwk);
		const tokens = new Tokens(keys);
		const guesses = [
			PAIR.publicKey.export({ type: 'spki', format: 'pem' }),
			PAIR.publicKey.export({ type: 'spki', format: 'der' }),
			Buffer.from(PAIR.jwk.x, 'base64url'),
			PAIR.jwk.x,
			JSON.stringify(PAIR.jwk),
		];
		for (const secret of guesses) {
			for (const header of [{ kid: 'k1' }, {}])
				await expect(tokens.verifyAccount(hmac(claims(), secret, header))).rejects.toMatchObject(refused);
		}
		await expect(tokens.verifyAccount(hmac(claims(), SECRET))).rejects.toMatchObject(refused);
	});

	it('a key pair where the secret signs', async () => {
		const tokens = new Tokens(SECRET);
		await expect(tokens.verifyAccount(eddsa(claims(), PAIR.privateKey, { kid: 'k1' }))).rejects.toMatchObject(refused);
		const derived = createPrivateKey({ key: PAIR.privateKey.export({ type: 'pkcs8', format: 'pem' }) });
		await expect(tokens.verifyAccount(eddsa(claims(), derived, { alg: 'HS256' }))).rejects.toMatchObject(refused);
	});

	it('foreign kid, and none', async () => {
		const keys = new PublicKeys();
		keys.set(PAIR.jwk);
		const tokens = new Tokens(keys);
		for (const kid of ['k9', '', '__proto__', undefined]) {
			await expect(tokens.verifyAccount(eddsa(claims(), PAIR.privateKey, { kid }))).rejects.toMatchObject(refused);
		}
	});

	it('a token of a removed key, also one that was verified before', async () => {
		const keys = new PublicKeys();
		keys.set(PAIR.jwk);
		keys.set(FOREIGN.jwk);
		const tokens = new Tokens(keys);
		const token = eddsa(claims(), PAIR.privateKey, { kid: 'k1' });
		await tokens.verifyAccount(token);
		keys.delete('k1');
		await expect(tokens.verifyAccount(token)).rejects.toMatchObject(refused);
	});
});

describe('tokens', () => {
	it('of the secret of before pass while it is being changed, and are not signed with it any more', async () => {
		const before = await new Tokens('the secret of before, of more than 32 characters').signAccount({
			id: 'a',
			name: 'A',
			memberships: [],
		});
		const tokens = new Tokens(new SharedSecret(SECRET, 'the secret of before, of more than 32 characters'));
		await expect(tokens.verifyAccount(before)).resolves.toMatchObject({ sub: 'a' });
		const now = await tokens.signAccount({ id: 'a', name: 'A', memberships: [] });
		await expect(new Tokens(SECRET).verifyAccount(now)).resolves.toMatchObject({ sub: 'a' });
		await expect(new Tokens(SECRET).verifyAccount(before)).rejects.toMatchObject(refused);
	});

	it('are no reason to sign in anew while the keys are not known yet', async () => {
		await expect(
			new Tokens(new PublicKeys()).verifyAccount(eddsa(claims(), PAIR.privateKey, { kid: 'k1' })),
		).rejects.toMatchObject({
			code: 'unavailable',
		});
	});

	it('can be issued later than a revocation of the same second', async () => {
		const now = Math.floor(Date.now() / 1000);
		const { iat, exp } = await new Tokens(SECRET).verifyAccount(
			await new Tokens(SECRET).signAccount({ id: 'a', name: 'A', memberships: [] }, now + 5),
		);
		expect([iat, exp - iat]).toEqual([now + 6, ACCOUNT_SECONDS]);
	});
});
