import { CrowdVisionError, type Membership, ROLES, type Role, weightIn } from '@crowdvision/contracts';
import type { SqliteDatabase } from '@crowdvision/store';

/** Organizations. Their names are unique and seen by their members only; `a/b` lies below `a`. */
export class Domains {
	readonly #database: SqliteDatabase;

	constructor(database: SqliteDatabase) {
		this.#database = database;
	}

	/**
	 * Makes a domain whose creator is its business_admin. One below another is for the business_admins of that one to make.
	 * @throws CrowdVisionError `conflict` when the name is taken, `not_found` or `forbidden` for a parent.
	 */
	async create(name: string, creator: { id: string; memberships: Membership[] }): Promise<void> {
		const parent = name.includes('/') ? name.slice(0, name.lastIndexOf('/')) : undefined;
		if (parent !== undefined) await this.require(creator.memberships, parent, 'business_admin');
		try {
			await this.#database.transaction([
				{ sql: 'INSERT INTO domains (name, created_at) VALUES (?, ?)', params: [name, Date.now()] },
				{ sql: "INSERT INTO memberships (account_id, domain_name, role) VALUES (?, ?, 'business_admin')", params: [creator.id, name] },
			]);
		} catch (error) {
			if (error instanceof CrowdVisionError && error.code === 'conflict') {
				throw new CrowdVisionError('conflict', 'This name is taken', { path: '/name' });
			}
			throw error;
		}
	}

	/** Makes sure that the domain exists and that this account is a business_admin of it. */
	async ensure(name: string, ownerId: string): Promise<void> {
		await this.#database.transaction([
			{ sql: 'INSERT OR IGNORE INTO domains (name, created_at) VALUES (?, ?)', params: [name, Date.now()] },
			{
				sql: `INSERT INTO memberships (account_id, domain_name, role) VALUES (?, ?, 'business_admin')
					ON CONFLICT (account_id, domain_name) DO UPDATE SET role = 'business_admin' WHERE role != 'admin'`,
				params: [ownerId, name],
			},
		]);
	}

	/** @throws CrowdVisionError `not_found` for a domain that is unknown or foreign, `forbidden` for a member of too little weight. */
	async require(memberships: readonly Membership[], name: string, role: Role): Promise<void> {
		const weight = weightIn(memberships, [name]);
		const exists = weight > 0 && (await this.#database.get('SELECT 1 FROM domains WHERE name = ?', [name])) !== undefined;
		if (!exists) throw new CrowdVisionError('not_found', 'There is no such domain');
		if (weight < ROLES[role]) throw new CrowdVisionError('forbidden', `This needs the role ${role} or a higher one`);
	}
}
