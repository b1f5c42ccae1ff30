import { randomUUID } from 'node:crypto';
import { CrowdVisionError, type Membership } from '@crowdvision/contracts';
import type { SqliteDatabase } from '@crowdvision/store';
import { hashPassword, impossiblePassword, verifyPassword } from './passwords.ts';

export interface Account {
	id: string;
	email: string;
	name: string;
}

export interface NewAccount {
	email: string;
	name: string;
	password: string;
}

/** E-mail addresses are told apart without regard to case and surrounding space. */
const canonical = (email: string) => email.trim().toLowerCase();

/** People who can sign in. */
export class Accounts {
	readonly #database: SqliteDatabase;
	/** Verified against where there is no account, so that the answer takes as long as for one. */
	readonly #nobody = impossiblePassword();

	constructor(database: SqliteDatabase) {
		this.#database = database;
	}

	/** @throws CrowdVisionError `conflict` when the e-mail address has an account. */
	async create({ email, name, password }: NewAccount): Promise<Account> {
		const account = { id: randomUUID(), email: canonical(email), name: name.trim() };
		const hash = await hashPassword(password);
		try {
			await this.#database.run('INSERT INTO accounts (id, email, name, password, created_at) VALUES (?, ?, ?, ?, ?)', [
				account.id,
				account.email,
				account.name,
				hash,
				Date.now(),
			]);
		} catch (error) {
			if (error instanceof CrowdVisionError && error.code === 'conflict') {
				throw new CrowdVisionError('conflict', 'There is an account with this e-mail address already', { path: '/email' });
			}
			throw error;
		}
		return account;
	}

	/** @throws CrowdVisionError `wrong_credentials`, the same and after the same time for an unknown e-mail address and a wrong password. */
	async authenticate(email: string, password: string): Promise<Account> {
		const row = await this.#database.get<Account & { password: string }>('SELECT id, email, name, password FROM accounts WHERE email = ?', [
			canonical(email),
		]);
		const right = await verifyPassword(password, row?.password ?? this.#nobody);
		if (!row || !right) throw new CrowdVisionError('wrong_credentials', 'The e-mail address or the password is wrong');
		return { id: row.id, email: row.email, name: row.name };
	}

	/** @throws CrowdVisionError `unauthenticated` for an account that is no more. */
	async get(id: string): Promise<Account> {
		const account = await this.#database.get<Account>('SELECT id, email, name FROM accounts WHERE id = ?', [id]);
		if (!account) throw new CrowdVisionError('unauthenticated', 'This account is no more');
		return account;
	}

	find(email: string): Promise<Account | undefined> {
		return this.#database.get<Account>('SELECT id, email, name FROM accounts WHERE email = ?', [canonical(email)]);
	}

	async setPassword(id: string, password: string): Promise<void> {
		await this.#database.run('UPDATE accounts SET password = ? WHERE id = ?', [await hashPassword(password), id]);
	}

	async isEmpty(): Promise<boolean> {
		return (await this.#database.get('SELECT 1 FROM accounts LIMIT 1')) === undefined;
	}

	memberships(accountId: string): Promise<Membership[]> {
		return this.#database.all<Membership>('SELECT domain_name AS domainName, role FROM memberships WHERE account_id = ? ORDER BY domain_name', [
			accountId,
		]);
	}
}
