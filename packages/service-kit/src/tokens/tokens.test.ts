import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import type { PublicSigningKey } from '@crowdvision/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PublicKeys, SharedSecret } from './keys.ts';
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

/** A key pair of auth: the private key, and the public key as its verifiers get it. */
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
	/** As `make`, but signed with a foreign key. */
	forge(payload: object, header?: object): string;
}

const MODES: Record<string, Mode> = {
	'by a shared secret': {
		tokens: () => new Tokens(SECRET),
		make: (payload, header) => hmac(payload, SECRET, header),
		forge: (payload, header) => hmac(payload, 'another secret of more than thirty-two characters', header),
	},
	'by a key pair': {
		tokens: () => {
			const keys = new PublicKeys();
			keys.set(PAIR.jwk);
			return new Tokens(keys);
		},
		make: (payload, header) => eddsa(payload, PAIR.privateKey, { kid: 'k1', ...header }),
		forge: (payload, header) => eddsa(payload, FOREIGN.privateKey, { kid: 'k1', ...header }),
	},
};

describe.each(Object.entries(MODES))('an account token signed %s', (_name, { tokens: open, make, forge }) => {
	let tokens: Tokens;
	beforeEach(() => {
		tokens = open();
	});
	const isRefused = async (token: string) => {
		// Twice: a refused token must not be remembered as valid.
		for (let n = 0; n < 2; n++) await expect(tokens.verifyAccount(token)).rejects.toMatchObject(refused);
	};

	it('is accepted when made by hand with the right key, so the refusals below have the right reason', async () => {
		const payload = claims();
		expect(await tokens.verifyAccount(make(payload))).toEqual(payload);
	});

	it('is refused with alg none', async () => {
		for (const alg of ['none', 'None', 'NONE', '']) {
			const bare = `${encode({ alg, typ: 'JWT', kid: 'k1' })}.${encode(claims())}`;
			await isRefused(bare);
			await isRefused(`${bare}.`);
			await isRefused(`${bare}.${make(claims()).split('.')[2]}`);
		}
	});

	it('is refused when signed with a foreign key', () => isRefused(forge(claims())));

	it('is refused once it has expired, even if it was accepted before', async () => {
		await isRefused(make(claims({ exp: Math.floor(Date.now() / 1000) - 1 })));
		await isRefused(make(claims({ exp: undefined })));
		const token = make(claims());
		await tokens.verifyAccount(token);
		vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 601_000 });
		await isRefused(token);
	});

	it('is refused while it is not yet valid', async () => {
		const later = Math.floor(Date.now() / 1000) + 300;
		await isRefused(make(claims({ nbf: later })));
		await isRefused(make(claims({ iat: later })));
		await expect(tokens.verifyAccount(make(claims({ iat: later - 290 })))).resolves.toBeDefined();
	});

	it('is not refused as not yet valid by a clock that was never set', async () => {
		const token = make(claims());
		vi.useFakeTimers({ toFake: ['Date'], now: 60_000 });
		await expect(tokens.verifyAccount(token)).resolves.toBeDefined();
	});

	it('is refused with a wrong audience or a wrong issuer', async () => {
		await isRefused(make(claims({ aud: 'another' })));
		await isRefused(make(claims({ aud: undefined })));
		await isRefused(make(claims({ iss: 'another' })));
	});

	it('is refused with tampered memberships', async () => {
		const [header, , signature] = make(claims({ memberships: [] })).split('.');
		await isRefused(`${header}.${encode(claims())}.${signature}`);
		await isRefused(make(claims({ memberships: [{ domainName: 'museum', role: 'root' }] })));
		await isRefused(make(claims({ memberships: 'admin' })));
	});

	it('is refused when tampered with, even with the signature of a token that was accepted before', async () => {
		const good = make(claims({ memberships: [] }));
		await tokens.verifyAccount(good);
		const [header, , signature] = good.split('.');
		await isRefused(`${header}.${encode(claims())}.${signature}`);
	});

	it('is refused when truncated at any place', async () => {
		const token = make(claims());
		for (let length = 0; length < token.length; length += 7) await isRefused(token.slice(0, length));
		await isRefused(token.slice(0, -1));
		await isRefused('a.b.c');
	});

	it('P14 is refused when it would live for ever, by `exp` and by the time since `iat`', async () => {
		const now = Math.floor(Date.now() / 1000);
		const day = 24 * 3600;
		const account = (exp: number, iat = now) => make(claims({ iat, exp }));
		await expect(tokens.verifyAccount(account(now + day))).resolves.toBeDefined();
		await isRefused(account(now + day + 1));
		await isRefused(account(now + 600, now - day));
		await isRefused(account(253_402_300_799));
		await isRefused(account(Number.MAX_VALUE));
		await isRefused(account(now + 600, -Number.MAX_VALUE));
		const device = (exp: number) =>
			make(claims({ sub: 'device:d1', aud: 'device', domainName: 'museum', iat: now, exp }));
		await expect(tokens.verifyDevice(device(now + 3653 * day))).resolves.toBeDefined();
		await expect(tokens.verifyDevice(device(now + 3653 * day + 1))).rejects.toMatchObject(refused);
		await expect(tokens.verifyDevice(device(253_402_300_799))).rejects.toMatchObject(refused);
	});

	it('is refused as a device token, as a device token is refused as an account token', async () => {
		const device = make(claims({ sub: 'device:d1', aud: 'device', domainName: 'museum' }));
		await expect(tokens.verifyDevice(device)).resolves.toMatchObject({ sub: 'device:d1' });
		await isRefused(device);
		const account = make(claims());
		await tokens.verifyAccount(account);
		await expect(tokens.verifyDevice(account)).rejects.toMatchObject(refused);
	});

	it('is never verified with keys it brings itself: jwk, jku, x5u, x5c', async () => {
		const brought = {
			jwk: FOREIGN.jwk,
			jku: 'http://127.0.0.1:1/jwks.json',
			x5u: 'http://127.0.0.1:1/x.pem',
			x5c: ['AAAA'],
		};
		await isRefused(forge(claims(), brought));
		await isRefused(eddsa(claims(), FOREIGN.privateKey, { kid: 'k9', ...brought }));
	});

	it('is refused with an extension that it requires to be understood (crit)', () =>
		isRefused(make(claims(), { crit: ['exp'], exp: 1 })));

	it('is verified once, and its claims cannot be changed by a reader', async () => {
		const token = make(claims());
		const first = await tokens.verifyAccount(token);
		expect(await tokens.verifyAccount(token)).toBe(first);
		expect(() => first.memberships.push({ domainName: 'evil', role: 'admin' })).toThrow();
	});

	it('is refused once its session was ended or its memberships were changed', async () => {
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

describe('token attacks across the two ways of signing', () => {
	it('fail by key confusion, with the public key as the secret of an HMAC', async () => {
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

	it('fail with a key pair where the secret signs', async () => {
		const tokens = new Tokens(SECRET);
		await expect(tokens.verifyAccount(eddsa(claims(), PAIR.privateKey, { kid: 'k1' }))).rejects.toMatchObject(refused);
		const derived = createPrivateKey({ key: PAIR.privateKey.export({ type: 'pkcs8', format: 'pem' }) });
		await expect(tokens.verifyAccount(eddsa(claims(), derived, { alg: 'HS256' }))).rejects.toMatchObject(refused);
	});

	it('fail with a foreign kid and without one', async () => {
		const keys = new PublicKeys();
		keys.set(PAIR.jwk);
		const tokens = new Tokens(keys);
		for (const kid of ['k9', '', '__proto__', undefined]) {
			await expect(tokens.verifyAccount(eddsa(claims(), PAIR.privateKey, { kid }))).rejects.toMatchObject(refused);
		}
	});

	it('fail with a token of a removed key, even if it was accepted before', async () => {
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
	it('of the previous secret are accepted during a change, and new ones are not signed with it', async () => {
		const before = await new Tokens('the previous secret, of more than 32 characters').signAccount({
			id: 'a',
			name: 'A',
			memberships: [],
		});
		const tokens = new Tokens(new SharedSecret(SECRET, 'the previous secret, of more than 32 characters'));
		await expect(tokens.verifyAccount(before)).resolves.toMatchObject({ sub: 'a' });
		const now = await tokens.signAccount({ id: 'a', name: 'A', memberships: [] });
		await expect(new Tokens(SECRET).verifyAccount(now)).resolves.toMatchObject({ sub: 'a' });
		await expect(new Tokens(SECRET).verifyAccount(before)).rejects.toMatchObject(refused);
	});

	it('are unavailable, not refused, while the keys are not known yet', async () => {
		await expect(
			new Tokens(new PublicKeys()).verifyAccount(eddsa(claims(), PAIR.privateKey, { kid: 'k1' })),
		).rejects.toMatchObject({
			code: 'unavailable',
		});
	});

	it('can be issued later than a revocation in the same second', async () => {
		const now = Math.floor(Date.now() / 1000);
		const { iat, exp } = await new Tokens(SECRET).verifyAccount(
			await new Tokens(SECRET).signAccount({ id: 'a', name: 'A', memberships: [] }, now + 5),
		);
		expect([iat, exp - iat]).toEqual([now + 6, ACCOUNT_SECONDS]);
	});
});

describe('P14 DEVICE_TOKEN_MAX_DAYS', () => {
	const device = { id: 'd1', domainName: 'museum' };
	const daysOf = async (tokens: Tokens) => {
		const { exp, iat } = await tokens.verifyDevice(await tokens.signDevice(device));
		return (exp - iat) / (24 * 3600);
	};

	it('bounds the tokens that are made, which otherwise are valid for five years', async () => {
		expect(await daysOf(new Tokens(SECRET))).toBe(5 * 365);
		expect(await daysOf(new Tokens(SECRET, 30))).toBe(30);
	});

	it('bounds the tokens that are accepted, also those made before it was set', async () => {
		const before = await new Tokens(SECRET).signDevice(device);
		await expect(new Tokens(SECRET, 30).verifyDevice(before)).rejects.toThrow(/at most 30 days are allowed here/);
	});
});
