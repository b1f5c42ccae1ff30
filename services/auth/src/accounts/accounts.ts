import { randomUUID } from 'node:crypto';
import { type AccountView, CrowdVisionError } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Kept, Store } from '@crowdvision/store';
import { hashPassword, impossiblePassword, verifyPassword } from '../secrets/passwords.ts';
import type { AccountDocument } from '../store.ts';
import type { Sessions } from './sessions.ts';

export interface NewAccount {
	email: string;
	name: string;
	password: string;
}

/** E-mail addresses are told apart without regard to case and surrounding space. */
const canonical = (email: string) => email.trim().toLowerCase();

/** People who can sign in. */
export class Accounts {
	readonly #store: Store;
	readonly #accounts: Collection<AccountDocument>;
	readonly #sessions: Sessions;
	/** Verified against where there is no account, so that the answer takes as long as for one. */
	readonly #nobody = impossiblePassword();

	constructor(store: Store, sessions: Sessions) {
		this.#store = store;
		this.#accounts = store.collection('accounts');
		this.#sessions = sessions;
	}

	/** @throws CrowdVisionError `conflict` when the e-mail address has an account. */
	async create({ email, name, password }: NewAccount): Promise<AccountView> {
		const id = randomUUID();
		const value = {
			email: canonical(email),
			name: name.trim(),
			password: await hashPassword(password),
			createdAt: Date.now(),
		};
		try {
			await this.#store.commit([this.#accounts.insert(id, value)]);
		} catch (error) {
			if (error instanceof CrowdVisionError && error.code === 'conflict') {
				throw new CrowdVisionError('conflict', 'There is an account with this e-mail address already', {
					path: '/email',
				});
			}
			throw error;
		}
		return viewOf({ id, value });
	}

	/**
	 * @throws CrowdVisionError `wrong_credentials`, the same and after the same time for an unknown e-mail address and a
	 * wrong password.
	 */
	async authenticate(email: string, password: string): Promise<AccountView> {
		const kept = await this.#byEmail(email);
		const right = await verifyPassword(password, kept?.value.password ?? this.#nobody);
		if (!kept?.value.password || !right)
			throw new CrowdVisionError('wrong_credentials', 'The e-mail address or the password is wrong');
		return viewOf(kept);
	}

	/** @throws CrowdVisionError `unauthenticated` for an account that is no more. */
	async get(id: string): Promise<AccountView> {
		return viewOf(await this.#require(id));
	}

	/** Those there are, by id. */
	async getAll(ids: readonly string[]): Promise<Map<string, AccountDocument>> {
		return new Map((await this.#accounts.getAll(ids)).map(({ id, value }) => [id, value]));
	}

	async find(email: string): Promise<AccountView | undefined> {
		const kept = await this.#byEmail(email);
		return kept && viewOf(kept);
	}

	/** Sets another password and ends every session of the account. @throws CrowdVisionError `wrong_credentials` */
	async changePassword(id: string, password: string, next: string): Promise<void> {
		const { value } = await this.#require(id);
		const right = await verifyPassword(password, value.password ?? this.#nobody);
		if (!value.password || !right)
			throw new CrowdVisionError('wrong_credentials', 'The password is wrong', { path: '/password' });
		await this.setPassword(id, next, value.password);
	}

	/** `was`: refused if it is another one by now. */
	async setPassword(id: string, password: string, was?: string): Promise<void> {
		const hash = await hashPassword(password);
		await retryOnConflict(async () => {
			const kept = await this.#require(id);
			if (was !== undefined && kept.value.password !== was)
				throw new CrowdVisionError('wrong_credentials', 'The password was changed meanwhile');
			await this.#store.commit([
				this.#accounts.replace(kept, { ...kept.value, password: hash }),
				await this.#sessions.endAll(id),
			]);
		});
	}

	async isEmpty(): Promise<boolean> {
		return (await this.#accounts.find({ limit: 1 })).length === 0;
	}

	async #byEmail(email: string): Promise<Kept<AccountDocument> | undefined> {
		return (await this.#accounts.find({ where: { email: canonical(email) }, limit: 1 }))[0];
	}

	async #require(id: string): Promise<Kept<AccountDocument>> {
		const kept = await this.#accounts.get(id);
		if (!kept) throw new CrowdVisionError('unauthenticated', 'This account is no more');
		return kept;
	}
}

function viewOf({ id, value: { name, email } }: { id: string; value: AccountDocument }): AccountView {
	return { id, ...(email !== undefined && { email }), name };
}
