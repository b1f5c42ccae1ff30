import { createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { CrowdVisionError, type PublicSigningKey } from '@crowdvision/contracts';

/**
 * `HS256`: a shared secret signs and verifies. `EdDSA`: auth signs with a private Ed25519 key, and everybody verifies
 * with the public one.
 */
export type TokenAlgorithm = 'HS256' | 'EdDSA';

/** A key and the one algorithm it is used with: what a token's header says of that is never believed. */
export interface TokenKey {
	alg: TokenAlgorithm;
	key: webcrypto.CryptoKey | KeyObject;
	/** Told in the header of what it signs, so that verifiers find their half of it. A shared secret has none. */
	kid?: string;
}

/** What tokens are verified with. */
export interface VerificationKeys {
	/**
	 * Keys that may have signed a token with this header; none for a foreign key or for an algorithm that is not ours.
	 */
	candidates(header: { alg?: string | undefined; kid?: string | undefined }): Promise<readonly TokenKey[]>;
	/** Whether what this key signed still counts. */
	holds(key: TokenKey): boolean;
}

/** Who signs. `use` tells how long what is signed must be verifiable. */
export interface TokenSigner {
	keyFor(use: 'account' | 'device'): Promise<TokenKey>;
}

/** The shared secret of the platform. While it is being changed, the one before still verifies, but signs nothing. */
export class SharedSecret implements VerificationKeys, TokenSigner {
	readonly #keys: Promise<readonly TokenKey[]>;

	constructor(secret: string, previous?: string) {
		const secrets = previous === undefined ? [secret] : [secret, previous];
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

/**
 * The public keys of auth, as told on the bus. A token that names none of them, or another algorithm than its key's, is
 * foreign.
 */
export class PublicKeys implements VerificationKeys {
	readonly #keys = new Map<string, { key: TokenKey; jwk: PublicSigningKey }>();

	/** @throws CrowdVisionError `unavailable` while no key was told of yet: nobody need sign in anew for that. */
	async candidates({ alg, kid }: { alg?: string; kid?: string }): Promise<readonly TokenKey[]> {
		if (this.#keys.size === 0)
			throw new CrowdVisionError('unavailable', 'The keys that tokens are verified with are not known yet', {}, 2);
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
