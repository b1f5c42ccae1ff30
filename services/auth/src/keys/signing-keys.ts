import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { CrowdVisionError, type PublicSigningKey, type SigningKeyView } from '@crowdvision/contracts';
import {
	ACCOUNT_SECONDS,
	DEVICE_SECONDS,
	type RetainedSource,
	retryOnConflict,
	type TokenKey,
	type TokenSigner,
} from '@crowdvision/service-kit';
import type { Collection, Kept, Store } from '@crowdvision/store';
import type { Seal } from '../secrets/sealed.ts';
import type { SigningKeyDocument } from '../store.ts';

/** A key is told to verifiers for so long before it signs: none of them meets a token of a key it has not heard of. */
const LEAD_MS = 60_000;
const MOST_KEYS = 1000;
const READ_EVERY_MS = 10_000;
const SLACK_MS = 2 * 60_000;

/**
 * The key pairs that tokens are signed with (Ed25519): one signs, those before it verify until the last token they
 * signed has expired, or until they are withdrawn. Private halves are kept sealed, and removed when their key signs no
 * more.
 */
export class SigningKeys implements TokenSigner, RetainedSource {
	readonly #store: Store;
	readonly #keys: Collection<SigningKeyDocument>;
	readonly #seal: Seal;
	readonly #maxAgeMs: number;
	readonly #private = new Map<string, KeyObject>();
	#known: Kept<SigningKeyDocument>[] = [];
	#readAt = 0;

	constructor(store: Store, seal: Seal, maxAgeMs: number) {
		this.#store = store;
		this.#keys = store.collection('signingKeys');
		this.#seal = seal;
		this.#maxAgeMs = maxAgeMs;
	}

	/** Makes the first key where there is none. */
	async start(): Promise<void> {
		if (!this.#signing(await this.#read())) await this.#make(Date.now());
	}

	async keyFor(use: 'account' | 'device'): Promise<TokenKey> {
		if (Date.now() - this.#readAt > READ_EVERY_MS) await this.#read();
		let kept = this.#signing(this.#known);
		if (!kept) throw new CrowdVisionError('unavailable', 'There is no key to sign with', {}, 2);
		if (use === 'device' && !kept.value.devices) kept = await this.#markForDevices(kept.id);
		return { alg: 'EdDSA', kid: kept.id, key: this.#privateKey(kept) };
	}

	/** Makes another key, which signs a minute later; the one of now then verifies only. @returns the new key's id. */
	async rotate(): Promise<string> {
		return this.#make(Date.now() + LEAD_MS);
	}

	/**
	 * Has keys change by age, retires those that were followed, and removes those whose tokens have all expired. @returns
	 * keys to tell of.
	 */
	async tend(now = Date.now()): Promise<string[]> {
		const changed: string[] = [];
		const keys = await this.#read();
		const signing = this.#signing(keys, now);
		if (
			!signing ||
			(now - signing.value.createdAt > this.#maxAgeMs && !keys.some(({ value }) => value.signsFrom > now))
		) {
			changed.push(signing ? await this.rotate() : await this.#make(now));
		}
		for (const kept of keys) {
			if (kept.value.verifiesUntil !== undefined && kept.value.verifiesUntil < now) {
				await this.#store.commit([this.#keys.remove(kept)]);
				changed.push(kept.id);
			} else if (signing && kept.value.signsFrom < signing.value.signsFrom && kept.value.retiredAt === undefined)
				await this.#retire(kept.id, now);
		}
		if (changed.length > 0) await this.#read();
		return changed;
	}

	/**
	 * What this key signed is void from now on. @throws CrowdVisionError `conflict` for the only key that can sign,
	 * `not_found`
	 */
	async withdraw(kid: string): Promise<void> {
		const keys = await this.#read();
		const kept = keys.find(({ id }) => id === kid);
		if (!kept) throw new CrowdVisionError('not_found', 'There is no such key');
		if (this.#signing(keys)?.id === kid)
			throw new CrowdVisionError('conflict', 'This key signs: rotate first, and withdraw it a minute later');
		await this.#store.commit([this.#keys.remove(kept)]);
		this.#private.delete(kid);
		await this.#read();
	}

	/** The newest first. */
	async list(now = Date.now()): Promise<SigningKeyView[]> {
		const keys = await this.#read();
		const signing = this.#signing(keys, now)?.id;
		return keys
			.sort((a, b) => b.value.createdAt - a.value.createdAt)
			.map(({ id, value: { createdAt, signsFrom, verifiesUntil } }) => ({
				kid: id,
				createdAt,
				state: id === signing ? 'signing' : signsFrom > now ? 'coming' : 'verifying',
				...(verifiesUntil !== undefined && { verifiesUntil }),
			}));
	}

	/** As a JSON Web Key Set (RFC 7517). */
	async jwks(): Promise<{ keys: PublicSigningKey[] }> {
		return { keys: (await this.#read()).map(publicKeyOf) };
	}

	async keys(): Promise<string[]> {
		return (await this.#read()).map(({ id }) => id);
	}

	async read(kid: string): Promise<string | null> {
		const kept = await this.#keys.get(kid);
		return kept ? JSON.stringify(publicKeyOf(kept)) : null;
	}

	async #read(): Promise<Kept<SigningKeyDocument>[]> {
		this.#known = await this.#keys.find({ limit: MOST_KEYS });
		this.#readAt = Date.now();
		return [...this.#known];
	}

	/** The youngest that has begun to sign. */
	#signing(keys: readonly Kept<SigningKeyDocument>[], now = Date.now()): Kept<SigningKeyDocument> | undefined {
		return keys
			.filter(({ value }) => value.d !== undefined && value.signsFrom <= now)
			.sort((a, b) => b.value.signsFrom - a.value.signsFrom || (a.id < b.id ? -1 : 1))[0];
	}

	async #make(signsFrom: number): Promise<string> {
		const { privateKey } = generateKeyPairSync('ed25519');
		const { x, d } = privateKey.export({ format: 'jwk' }) as { x: string; d: string };
		const kid = randomBytes(9).toString('base64url');
		const value = { x, d: this.#seal.seal(`signing key ${kid}`, d), createdAt: Date.now(), signsFrom, devices: false };
		await this.#store.commit([this.#keys.insert(kid, value)]);
		await this.#read();
		return kid;
	}

	#markForDevices(kid: string): Promise<Kept<SigningKeyDocument>> {
		return retryOnConflict(async () => {
			const kept = await this.#keys.get(kid);
			if (!kept?.value.d) throw new CrowdVisionError('unavailable', 'The key that signs was changed just now', {}, 1);
			if (!kept.value.devices) await this.#store.commit([this.#keys.replace(kept, { ...kept.value, devices: true })]);
			await this.#read();
			return kept;
		});
	}

	async #retire(kid: string, now: number): Promise<void> {
		await retryOnConflict(async () => {
			const kept = await this.#keys.get(kid);
			if (!kept || kept.value.retiredAt !== undefined) return;
			const { d: _private, ...rest } = kept.value;
			const verifiesUntil = now + SLACK_MS + (rest.devices ? DEVICE_SECONDS : ACCOUNT_SECONDS) * 1000;
			await this.#store.commit([this.#keys.replace(kept, { ...rest, retiredAt: now, verifiesUntil })]);
		});
		this.#private.delete(kid);
	}

	#privateKey({ id, value: { x, d } }: Kept<SigningKeyDocument>): KeyObject {
		let key = this.#private.get(id);
		if (!key) {
			key = createPrivateKey({
				key: { kty: 'OKP', crv: 'Ed25519', x, d: this.#seal.open(`signing key ${id}`, d!) },
				format: 'jwk',
			});
			this.#private.set(id, key);
		}
		return key;
	}
}

function publicKeyOf({ id, value }: Kept<SigningKeyDocument>): PublicSigningKey {
	return { kty: 'OKP', crv: 'Ed25519', x: value.x, kid: id, alg: 'EdDSA', use: 'sig' };
}
