import { randomUUID } from 'node:crypto';
import { type AccountView, CrowdVisionError, type Language } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store, Versioned } from '@crowdvision/store';
import { hashPassword, unmatchablePassword, verifyPassword } from '../secrets/passwords.ts';
import { type AccountDocument, contactOf } from '../store.ts';
import type { Sessions } from './sessions.ts';

export interface NewAccount {
	email: string;
	name: string;
	password: string;
}

/** E-mail addresses are compared without regard to case and surrounding white space. */
const canonical = (email: string) => email.trim().toLowerCase();

/** The accounts of people: creation, look-up, and sign-in by e-mail address and password. */
export class Accounts {
	readonly #store: Store;
	readonly #accounts: Collection<AccountDocument>;
	readonly #sessions: Sessions;
	/** Verified where no account matches, so that the answer takes as long as for a wrong password. */
	readonly #unmatchable = unmatchablePassword();

	constructor(store: Store, sessions: Sessions) {
		this.#store = store;
		this.#accounts = store.collection('accounts');
		this.#sessions = sessions;
	}

	/**
	 * Creates the account unless its e-mail address has one. The password of an existing account changes only with
	 * `overwritePassword`. `created` is true for a new account. Its address counts as confirmed: whoever runs the
	 * installation has named it.
	 */
	async ensure({
		overwritePassword = false,
		...account
	}: NewAccount & { overwritePassword?: boolean }): Promise<AccountView & { created: boolean }> {
		const existing = await this.find(account.email);
		if (!existing) return { ...(await this.create(account, { confirmed: true })), created: true };
		await this.#change(existing.id, (before) => ({ ...before, confirmed: contactOf(before) }));
		if (overwritePassword) await this.setPassword(existing.id, account.password);
		return { ...existing, created: false };
	}

	/**
	 * Creates an account. The address of the first one counts as confirmed, as it is of whoever set the installation up.
	 * @throws CrowdVisionError `conflict` when the e-mail address already has an account.
	 */
	async create(
		{ email, name, password }: NewAccount,
		{ confirmed, language }: { confirmed?: boolean; language?: Language } = {},
	): Promise<AccountView> {
		const id = randomUUID();
		const isConfirmed = confirmed ?? (await this.isEmpty());
		const value: AccountDocument = {
			email: canonical(email),
			name: name.trim(),
			password: await hashPassword(password),
			createdAt: Date.now(),
			...(isConfirmed && { confirmed: canonical(email) }),
			...(language !== undefined && { language }),
		};
		try {
			await this.#store.commit([this.#accounts.insert(id, value)]);
		} catch (error) {
			if (error instanceof CrowdVisionError && error.code === 'conflict') {
				throw new CrowdVisionError('conflict', 'An account with this e-mail address already exists', {
					path: '/email',
				});
			}
			throw error;
		}
		return viewOf({ id, value });
	}

	/**
	 * @throws CrowdVisionError `wrong_credentials`: the same error after the same time for an unknown e-mail address and
	 * for a wrong password.
	 */
	async authenticate(email: string, password: string): Promise<AccountView> {
		const stored = await this.#byEmail(email);
		const matches = await verifyPassword(password, stored?.value.password ?? this.#unmatchable);
		if (!stored?.value.password || !matches)
			throw new CrowdVisionError('wrong_credentials', 'The e-mail address or the password is wrong');
		return viewOf(stored);
	}

	/** @throws CrowdVisionError `unauthenticated` when the account no longer exists. */
	async get(id: string): Promise<AccountView> {
		return viewOf(await this.#require(id));
	}

	/** The account as it sees itself, but for its memberships. @throws CrowdVisionError `unauthenticated` */
	async me(
		id: string,
	): Promise<AccountView & { contact?: { email: string; confirmed: boolean }; language?: Language }> {
		const stored = await this.#require(id);
		const { language, confirmed } = stored.value;
		const email = contactOf(stored.value);
		return {
			...viewOf(stored),
			...(email !== undefined && { contact: { email, confirmed: confirmed === email } }),
			...(language !== undefined && { language }),
		};
	}

	/** @throws CrowdVisionError `unauthenticated` when the account no longer exists. */
	async setLanguage(id: string, language: Language): Promise<void> {
		await this.#change(id, (before) => ({ ...before, language }));
	}

	/** The accounts that exist among these ids, by id. */
	async getAll(ids: readonly string[]): Promise<Map<string, AccountDocument>> {
		return new Map((await this.#accounts.getAll(ids)).map(({ id, value }) => [id, value]));
	}

	async find(email: string): Promise<AccountView | undefined> {
		const stored = await this.#byEmail(email);
		return stored && viewOf(stored);
	}

	/** Replaces the password and ends every session of the account. @throws CrowdVisionError `wrong_credentials` */
	async changePassword(id: string, password: string, newPassword: string): Promise<void> {
		const { value } = await this.#require(id);
		const matches = await verifyPassword(password, value.password ?? this.#unmatchable);
		if (!value.password || !matches)
			throw new CrowdVisionError('wrong_credentials', 'The password is wrong', { path: '/password' });
		await this.setPassword(id, newPassword, value.password);
	}

	/**
	 * Sets the password and ends every session of the account.
	 * @param expectedHash where given, the stored hash must still equal it
	 * @throws CrowdVisionError `wrong_credentials` when the stored hash has changed
	 */
	async setPassword(id: string, password: string, expectedHash?: string): Promise<void> {
		const hash = await hashPassword(password);
		await retryOnConflict(async () => {
			const stored = await this.#require(id);
			if (expectedHash !== undefined && stored.value.password !== expectedHash)
				throw new CrowdVisionError('wrong_credentials', 'The password was changed in the meantime');
			await this.#store.commit([
				this.#accounts.replace(stored, {
					...stored.value,
					password: hash,
					generation: (stored.value.generation ?? 0) + 1,
				}),
				await this.#sessions.endAll(id),
			]);
		});
	}

	/** The stored hash; undefined where the account signs in through a provider. */
	async passwordHash(id: string): Promise<string | undefined> {
		return (await this.#require(id)).value.password;
	}

	/**
	 * Confirms that the caller knows the account's password, where it has one.
	 * @throws CrowdVisionError `wrong_credentials`
	 */
	async confirm(id: string, password: string | undefined): Promise<void> {
		const { value } = await this.#require(id);
		if (value.password === undefined) return;
		if (password === undefined || !(await verifyPassword(password, value.password)))
			throw new CrowdVisionError('wrong_credentials', 'The password is wrong', { path: '/password' });
	}

	/** Whether there is no account at all, as on the first start. */
	async isEmpty(): Promise<boolean> {
		return (await this.#accounts.find({ limit: 1 })).length === 0;
	}

	async #change(id: string, change: (before: AccountDocument) => AccountDocument): Promise<void> {
		await retryOnConflict(async () => {
			const stored = await this.#require(id);
			const next = change(stored.value);
			if (JSON.stringify(next) === JSON.stringify(stored.value)) return;
			await this.#store.commit([this.#accounts.replace(stored, next)]);
		});
	}

	async #byEmail(email: string): Promise<Versioned<AccountDocument> | undefined> {
		return (await this.#accounts.find({ where: { email: canonical(email) }, limit: 1 }))[0];
	}

	async #require(id: string): Promise<Versioned<AccountDocument>> {
		const stored = await this.#accounts.get(id);
		if (!stored) throw new CrowdVisionError('unauthenticated', 'This account no longer exists');
		return stored;
	}
}

function viewOf({ id, value: { name, email } }: { id: string; value: AccountDocument }): AccountView {
	return { id, ...(email !== undefined && { email }), name };
}
