import { createHash, randomBytes } from 'node:crypto';
import { CrowdVisionError } from '@crowdvision/contracts';
import type { Collection, Store } from '@crowdvision/store';
import type { Accounts } from '../accounts/accounts.ts';
import type { PasswordResetDocument } from '../store.ts';

/** How long a link in an e-mail works; one that an administrator hands over takes longer to arrive. */
export const MAIL_RESET_MS = 3600_000;
export const HANDED_RESET_MS = 24 * 3600_000;
/** Links of one account that work at a time. */
const MAX_OPEN = 5;
const MAX_REMOVED = 1000;

const hash = (token: string) => createHash('sha256').update(token).digest('base64url');

/**
 * Links by which the owner of an account sets a new password. Only the hash of a token is stored; it works once, and
 * not after the password has changed in another way.
 */
export class PasswordResets {
	readonly #store: Store;
	readonly #resets: Collection<PasswordResetDocument>;
	readonly #accounts: Accounts;

	constructor(store: Store, accounts: Accounts) {
		this.#store = store;
		this.#resets = store.collection('passwordResets');
		this.#accounts = accounts;
	}

	/**
	 * Makes a token for an account with a password.
	 * @throws CrowdVisionError `conflict` for an account that signs in by a provider, `rate_limited` for too many links
	 */
	async create(accountId: string, lifetimeMs: number): Promise<{ token: string; expiresAt: number }> {
		const passwordHash = await this.#accounts.passwordHash(accountId);
		if (passwordHash === undefined)
			throw new CrowdVisionError('conflict', 'This account signs in through an identity provider, without a password');
		const now = Date.now();
		const open = await this.#resets.find({ where: { accountId }, limit: MAX_OPEN + 1 });
		if (open.filter(({ value }) => value.expiresAt > now).length >= MAX_OPEN)
			throw new CrowdVisionError('rate_limited', 'Several links were made for this account just now', {}, 600);
		const token = randomBytes(32).toString('base64url');
		const expiresAt = now + lifetimeMs;
		await this.#store.commit([
			this.#resets.insert(hash(token), { accountId, expiresAt, passwordHash: hash(passwordHash) }),
		]);
		return { token, expiresAt };
	}

	/** Sets the password. Resolves with the account's id. @throws CrowdVisionError `not_found` for a void token */
	async redeem(token: string, newPassword: string): Promise<string> {
		const refusal = new CrowdVisionError('not_found', 'This link was used already, or is too old: ask for another one');
		const stored = await this.#resets.get(hash(token));
		if (!stored || stored.value.expiresAt <= Date.now()) throw refusal;
		const { accountId, passwordHash } = stored.value;
		const present = await this.#accounts.passwordHash(accountId);
		if (present === undefined || hash(present) !== passwordHash) throw refusal;
		try {
			await this.#accounts.setPassword(accountId, newPassword, present);
		} catch (error) {
			// Of two who use a link at once, the second finds the password changed.
			throw error instanceof CrowdVisionError && error.code === 'wrong_credentials' ? refusal : error;
		}
		await this.#store.commit([this.#resets.remove(stored.id)]);
		return accountId;
	}

	async removeExpired(): Promise<void> {
		const expired = await this.#resets.find({ where: { expiresAt: { lt: Date.now() } }, limit: MAX_REMOVED });
		for (let i = 0; i < expired.length; i += 100)
			await this.#store.commit(expired.slice(i, i + 100).map(({ id }) => this.#resets.remove(id)));
	}
}
