import { CrowdVisionError, type DomainView, type Membership, weightIn } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import { type Collection, type DocumentCursor, documentPage, type Store, type Versioned } from '@crowdvision/store';
import type { DeviceDocument, DomainDocument, MembershipDocument } from '../store.ts';
import type { Memberships } from './memberships.ts';

const MAX_LISTED = 1000;

/**
 * Domains: the organizations that own buildings and devices. A name is unique for good, also after the domain is
 * removed. `a/b` is a subdomain of `a`, and every member of `a` is a member of `a/b`.
 */
export class Domains {
	readonly #store: Store;
	readonly #domains: Collection<DomainDocument>;
	readonly #memberships: Memberships;

	constructor(store: Store, memberships: Memberships) {
		this.#store = store;
		this.#domains = store.collection('domains');
		this.#memberships = memberships;
	}

	/**
	 * Creates a domain and makes its creator a business_admin of it. Only a business_admin of the parent can create a
	 * subdomain.
	 * @throws CrowdVisionError `conflict` when the name is taken; `not_found` or `forbidden` about the parent
	 */
	async create(name: string, isPublic: boolean, creatorId: string): Promise<DomainView> {
		const parent = name.includes('/') ? name.slice(0, name.lastIndexOf('/')) : undefined;
		if (parent !== undefined) await this.#memberships.require(creatorId, parent, 'business_admin');
		const domain: DomainDocument = { name, public: isPublic, createdAt: Date.now() };
		try {
			await this.#store.commit([
				this.#domains.insert(name, domain),
				await this.#memberships.add(creatorId, name, 'business_admin'),
			]);
		} catch (error) {
			if (error instanceof CrowdVisionError && error.code === 'conflict') {
				throw new CrowdVisionError('conflict', 'This name is taken', { path: '/name' });
			}
			throw error;
		}
		return { name, role: 'business_admin', public: isPublic };
	}

	/** Creates the domain unless it exists, and makes this account a business_admin of it. */
	async ensure(name: string, ownerId: string): Promise<void> {
		await retryOnConflict(async () => {
			if (await this.#domains.get(name)) return;
			await this.#store.commit([this.#domains.insert(name, { name, public: false, createdAt: Date.now() })]);
		});
		await this.#memberships.join(ownerId, name, 'business_admin');
	}

	/** The domain with this name; undefined when it does not exist or was removed. */
	async find(name: string): Promise<DomainDocument | undefined> {
		const stored = await this.#domains.get(name);
		return stored?.value.removedAt === undefined ? stored?.value : undefined;
	}

	/** The domains that the account is a member of and their subdomains, sorted by name. */
	async of(accountId: string): Promise<DomainView[]> {
		const memberships = (await this.#memberships.of(accountId)).filter(({ role }) => role !== 'admin');
		const own = new Map(memberships.map(({ domainName, role }) => [domainName, role]));
		const found = new Map((await this.#domains.getAll([...own.keys()])).map(({ id, value }) => [id, value]));
		for (const name of own.keys())
			for (const { id, value } of await this.#subdomains(name)) if (value.removedAt === undefined) found.set(id, value);
		return [...found.values()]
			.sort((a, b) => (a.name < b.name ? -1 : 1))
			.map(({ name, public: isPublic }) => {
				const role = own.get(name);
				return role
					? { name, role, public: isPublic }
					: { name, role: inheritedRole(memberships, name), public: isPublic, inherited: true };
			});
	}

	/** A page of the names of public domains, sorted. */
	async listPublic(page: {
		limit: number;
		after: DocumentCursor | undefined;
	}): Promise<{ domains: { name: string }[]; next: DocumentCursor | undefined }> {
		const { documents, next } = await documentPage(this.#domains, {
			sections: [{ public: true }],
			by: 'name',
			descending: false,
			...page,
		});
		return { domains: documents.map(({ id }) => ({ name: id })), next };
	}

	/** @throws CrowdVisionError `not_found` */
	async setPublic(name: string, isPublic: boolean): Promise<void> {
		await retryOnConflict(async () => {
			const stored = await this.#require(name);
			if (stored.value.public !== isPublic)
				await this.#store.commit([this.#domains.replace(stored, { ...stored.value, public: isPublic })]);
		});
	}

	/**
	 * Removes a domain. It must have no member but `accountId`, no subdomain, and no device that is not revoked. Its name
	 * stays taken.
	 * @throws CrowdVisionError `conflict` when it is not empty, `not_found`
	 */
	async remove(name: string, accountId: string): Promise<void> {
		const devices = this.#store.collection<DeviceDocument>('devices');
		const memberships = this.#store.collection<MembershipDocument>('memberships');
		const stored = await this.#require(name);
		const [members, below, active] = await Promise.all([
			memberships.find({ where: { domainName: name }, limit: 2 }),
			this.#subdomains(name),
			devices.find({ where: { domainName: name }, limit: MAX_LISTED }),
		]);
		if (members.some(({ value }) => value.accountId !== accountId))
			throw new CrowdVisionError('conflict', 'The domain has other members');
		if (below.some(({ value }) => value.removedAt === undefined))
			throw new CrowdVisionError('conflict', 'The domain has subdomains');
		if (active.some(({ value }) => value.revokedAt === undefined))
			throw new CrowdVisionError('conflict', 'The domain has devices: revoke them first');
		await this.#store.commit([
			this.#domains.replace(stored, { ...stored.value, public: false, removedAt: Date.now() }),
			...members.map((member) => memberships.remove(member)),
			this.#store.collection('invites').remove(name),
			this.#store.collection('sso').remove(name),
		]);
	}

	/** Removed ones included. */
	async #subdomains(name: string): Promise<Versioned<DomainDocument>[]> {
		const all: Versioned<DomainDocument>[] = [];
		// '0' is the character after '/', so every name that begins with `name/` lies between the two.
		for (let last = `${name}/`; ; ) {
			const where = { name: { gt: last, lt: `${name}0` } };
			const batch = await this.#domains.find({ where, order: { by: 'name' }, limit: MAX_LISTED });
			all.push(...batch);
			if (batch.length < MAX_LISTED) return all;
			last = batch.at(-1)!.id;
		}
	}

	async #require(name: string): Promise<Versioned<DomainDocument>> {
		const stored = await this.#domains.get(name);
		if (!stored || stored.value.removedAt !== undefined)
			throw new CrowdVisionError('not_found', 'There is no such domain');
		return stored;
	}
}

/** The highest role that memberships in the domains above give in a subdomain. */
function inheritedRole(memberships: readonly Membership[], name: string): Membership['role'] {
	const [highest] = memberships
		.filter((membership) => weightIn([membership], [name]) > 0)
		.sort((a, b) => weightIn([b], [name]) - weightIn([a], [name]));
	return highest!.role;
}
