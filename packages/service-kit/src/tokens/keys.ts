import { createHmac, createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { CrowdVisionError, type PublicSigningKey } from '@crowdvision/contracts';

/**
 * `HS256`: one shared secret signs and verifies. `EdDSA`: auth signs with a private Ed25519 key, all verify with its
 * public key.
 */
export type TokenAlgorithm = 'HS256' | 'EdDSA';

/** A key and the only algorithm it may be used with, whatever a token's header claims. */
export interface TokenKey {
	alg: TokenAlgorithm;
	key: webcrypto.CryptoKey | KeyObject;
	/** Key id in the header of tokens it signs, by which verifiers find the public key. A shared secret has none. */
	kid?: string;
}

/** The keys that tokens are verified with. */
export interface VerificationKeys {
	/** The keys that may have signed a token with this header; none for a foreign key or algorithm. */
	candidates(header: { alg?: string | undefined; kid?: string | undefined }): Promise<readonly TokenKey[]>;
	/** Whether tokens signed by this key are still accepted. */
	holds(key: TokenKey): boolean;
}

/** Chooses the signing key. `use` decides how long the key's tokens must stay verifiable. */
export interface TokenSigner {
	keyFor(use: 'account' | 'device'): Promise<TokenKey>;
}

/** The shared secret of the platform. During a change the previous secret still verifies but no longer signs. */
export class SharedSecret implements VerificationKeys, TokenSigner {
	readonly #keys: Promise<readonly TokenKey[]>;
	/** By which a secret is recognized without being stored; that of the secret that signs is the first. */
	readonly fingerprints: readonly string[];

	constructor(secret: string, previous?: string) {
		const secrets = previous === undefined ? [secret] : [secret, previous];
		this.fingerprints = secrets.map((one) =>
			createHmac('sha256', one).update('crowdvision: fingerprint of a shared secret').digest('base64url').slice(0, 22),
		);
		this.#keys = Promise.all(secrets.map(async (one) => ({ alg: 'HS256' as const, key: await hmacKey(one) })));
	}

	async candidates({ alg, kid }: { alg?: string; kid?: string }): Promise<readonly TokenKey[]> {
		return alg === 'HS256' && kid === undefined ? this.#keys : [];
	}

	holds(): boolean {
		return true;
	}

	async keyFor(): Promise<TokenKey> {
		return (await this.#keys)[0]!;
	}
}

function hmacKey(secret: string): Promise<webcrypto.CryptoKey> {
	return crypto.subtle.importKey('raw', new TextEncoder().encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, [
		'sign',
		'verify',
	]);
}

/** The public keys of auth, as published on the bus. Refuses a token that names none of them, or another algorithm. */
export class PublicKeys implements VerificationKeys {
	readonly #keys = new Map<string, { key: TokenKey; jwk: PublicSigningKey }>();

	/** @throws CrowdVisionError `unavailable` while no key is known yet, which is no reason to sign in again. */
	async candidates({ alg, kid }: { alg?: string; kid?: string }): Promise<readonly TokenKey[]> {
		if (this.#keys.size === 0)
			throw new CrowdVisionError('unavailable', 'The keys for verifying tokens are not known yet: try again', {}, 2);
		const known = kid === undefined ? undefined : this.#keys.get(kid)?.key;
		return known && known.alg === alg ? [known] : [];
	}

	holds(key: TokenKey): boolean {
		return key.kid !== undefined && this.#keys.get(key.kid)?.key === key;
	}

	set(jwk: PublicSigningKey): void {
		const { kid, kty, crv, x } = jwk;
		if (this.#keys.get(kid)?.jwk.x === x) return;
		const key = createPublicKey({ key: { kty, crv, x }, format: 'jwk' }).toCryptoKey('Ed25519', false, ['verify']);
		this.#keys.set(kid, { jwk, key: { kid, alg: 'EdDSA', key } });
	}

	delete(kid: string): void {
		this.#keys.delete(kid);
	}

	all(): PublicSigningKey[] {
		return [...this.#keys.values()].map(({ jwk }) => jwk);
	}
}
