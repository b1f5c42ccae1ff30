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
import type { Collection, Store, Versioned } from '@crowdvision/store';
import type { Seal } from '../secrets/sealed.ts';
import type { SigningKeyDocument } from '../store.ts';

/** How long a key is announced before it signs, so that no service sees a token of a key it does not know. */
const LEAD_MS = 60_000;
const MAX_KEYS = 1000;
const READ_EVERY_MS = 10_000;
/** Added to the lifetime of a retired key's last token, for clocks that differ. */
const SLACK_MS = 2 * 60_000;

/**
 * The Ed25519 key pairs that sign tokens. One key signs at a time; older keys verify until the last token they signed
 * has expired, or until they are withdrawn. Private keys are stored sealed and are removed when their key is retired.
 */
export class SigningKeys implements TokenSigner, RetainedSource {
	readonly #store: Store;
	readonly #keys: Collection<SigningKeyDocument>;
	readonly #seal: Seal;
	readonly #maxAgeMs: number;
	readonly #private = new Map<string, KeyObject>();
	#known: Versioned<SigningKeyDocument>[] = [];
	readonly #now: () => number;
	#readAt = Number.NEGATIVE_INFINITY;

	/** @param now epoch ms, by the clock that tokens are signed by */
	constructor(store: Store, seal: Seal, maxAgeMs: number, now: () => number) {
		this.#now = now;
		this.#store = store;
		this.#keys = store.collection('signingKeys');
		this.#seal = seal;
		this.#maxAgeMs = maxAgeMs;
	}

	/** Creates the first key if there is none. */
	async start(): Promise<void> {
		if (!this.#signing(await this.#read())) await this.#create(this.#now());
	}

	/** @throws CrowdVisionError `unavailable` when no key can sign */
	async keyFor(use: 'account' | 'device'): Promise<TokenKey> {
		if (performance.now() - this.#readAt > READ_EVERY_MS) await this.#read();
		let stored = this.#signing(this.#known);
		if (!stored) throw new CrowdVisionError('unavailable', 'No key can sign tokens at the moment', {}, 2);
		if (use === 'device' && !stored.value.devices) stored = await this.#markForDevices(stored.id);
		return { alg: 'EdDSA', kid: stored.id, key: this.#privateKey(stored) };
	}

	/** Creates a key that signs from a minute later on; the current key only verifies then. @returns the new key's id */
	async rotate(): Promise<string> {
		return this.#create(this.#now() + LEAD_MS);
	}

	/**
	 * Creates a new key when the signing key is too old, retires keys with a successor, and removes keys whose tokens
	 * have all expired. @returns the ids of created and removed keys
	 */
	async maintain(now = this.#now()): Promise<string[]> {
		const changed: string[] = [];
		const keys = await this.#read();
		const signing = this.#signing(keys, now);
		if (
			!signing ||
			(now - signing.value.createdAt > this.#maxAgeMs && !keys.some(({ value }) => value.signsFrom > now))
		) {
			changed.push(signing ? await this.rotate() : await this.#create(now));
		}
		for (const stored of keys) {
			if (stored.value.verifiesUntil !== undefined && stored.value.verifiesUntil < now) {
				await this.#store.commit([this.#keys.remove(stored)]);
				changed.push(stored.id);
			} else if (signing && stored.value.signsFrom < signing.value.signsFrom && stored.value.retiredAt === undefined)
				await this.#retire(stored.id, now);
		}
		if (changed.length > 0) await this.#read();
		return changed;
	}

	/**
	 * Removes a key, which voids every token it signed.
	 * @throws CrowdVisionError `conflict` for the key that signs, `not_found`
	 */
	async withdraw(kid: string): Promise<void> {
		const keys = await this.#read();
		const stored = keys.find(({ id }) => id === kid);
		if (!stored) throw new CrowdVisionError('not_found', 'There is no such key');
		if (this.#signing(keys)?.id === kid)
			throw new CrowdVisionError(
				'conflict',
				'This key signs at the moment: rotate first, and withdraw it a minute later',
			);
		await this.#store.commit([this.#keys.remove(stored)]);
		this.#private.delete(kid);
		await this.#read();
	}

	/** Newest first. */
	async list(now = this.#now()): Promise<SigningKeyView[]> {
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

	/** The public keys as a JSON Web Key Set (RFC 7517 section 5). */
	async jwks(): Promise<{ keys: PublicSigningKey[] }> {
		return { keys: (await this.#read()).map(publicKeyOf) };
	}

	async keys(): Promise<string[]> {
		return (await this.#read()).map(({ id }) => id);
	}

	async read(kid: string): Promise<string | null> {
		const stored = await this.#keys.get(kid);
		return stored ? JSON.stringify(publicKeyOf(stored)) : null;
	}

	async #read(): Promise<Versioned<SigningKeyDocument>[]> {
		this.#known = await this.#keys.find({ limit: MAX_KEYS });
		this.#readAt = performance.now();
		return [...this.#known];
	}

	/** The newest key whose time to sign has come; the first, where the clock was set back to before all of them. */
	#signing(
		keys: readonly Versioned<SigningKeyDocument>[],
		now = this.#now(),
	): Versioned<SigningKeyDocument> | undefined {
		const newestFirst = keys
			.filter((stored) => this.#canSign(stored))
			.sort((a, b) => b.value.signsFrom - a.value.signsFrom || (a.id < b.id ? -1 : 1));
		return newestFirst.find(({ value }) => value.signsFrom <= now) ?? newestFirst.at(-1);
	}

	async #create(signsFrom: number): Promise<string> {
		const { privateKey } = generateKeyPairSync('ed25519');
		const { x, d } = privateKey.export({ format: 'jwk' }) as { x: string; d: string };
		const kid = randomBytes(9).toString('base64url');
		const value = { x, d: this.#seal.seal(`signing key ${kid}`, d), createdAt: this.#now(), signsFrom, devices: false };
		await this.#store.commit([this.#keys.insert(kid, value)]);
		await this.#read();
		return kid;
	}

	#markForDevices(kid: string): Promise<Versioned<SigningKeyDocument>> {
		return retryOnConflict(async () => {
			const stored = await this.#keys.get(kid);
			if (!stored?.value.d)
				throw new CrowdVisionError('unavailable', 'The signing key changed just now: try again', {}, 1);
			if (!stored.value.devices)
				await this.#store.commit([this.#keys.replace(stored, { ...stored.value, devices: true })]);
			await this.#read();
			return stored;
		});
	}

	async #retire(kid: string, now: number): Promise<void> {
		await retryOnConflict(async () => {
			const stored = await this.#keys.get(kid);
			if (!stored || stored.value.retiredAt !== undefined) return;
			const { d: _private, ...rest } = stored.value;
			const verifiesUntil = now + SLACK_MS + (rest.devices ? DEVICE_SECONDS : ACCOUNT_SECONDS) * 1000;
			await this.#store.commit([this.#keys.replace(stored, { ...rest, retiredAt: now, verifiesUntil })]);
		});
		this.#private.delete(kid);
	}

	/** Whether its private half is here and can be read; it cannot after a restore without AUTH_KEY. */
	#canSign({ id, value: { d } }: Versioned<SigningKeyDocument>): boolean {
		return d !== undefined && (this.#private.has(id) || this.#seal.opens(`signing key ${id}`, d));
	}

	#privateKey({ id, value: { x, d } }: Versioned<SigningKeyDocument>): KeyObject {
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

function publicKeyOf({ id, value }: Versioned<SigningKeyDocument>): PublicSigningKey {
	return { kty: 'OKP', crv: 'Ed25519', x: value.x, kid: id, alg: 'EdDSA', use: 'sig' };
}
