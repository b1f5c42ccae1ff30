import { CrowdVisionError, type DomainView, type Membership, weightIn } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Kept, Store } from '@crowdvision/store';
import type { DeviceDocument, DomainDocument, MembershipDocument } from '../store.ts';
import type { Memberships } from './memberships.ts';

const MOST_LISTED = 1000;

/** Organizations. A name is unique for good; `a/b` lies below `a`, and who is a member of `a` is one of `a/b` too. */
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
	 * Makes a domain whose creator is its business_admin. One below another is for the business_admins of that one to
	 * make.
	 * @throws CrowdVisionError `conflict` when the name is taken, `not_found` or `forbidden` for a parent.
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

	/** Makes sure that the domain exists and that this account is a business_admin of it. */
	async ensure(name: string, ownerId: string): Promise<void> {
		await retryOnConflict(async () => {
			if (await this.#domains.get(name)) return;
			await this.#store.commit([this.#domains.insert(name, { name, public: false, createdAt: Date.now() })]);
		});
		await this.#memberships.join(ownerId, name, 'business_admin');
	}

	/** The domain, where it is there. */
	async find(name: string): Promise<DomainDocument | undefined> {
		const kept = await this.#domains.get(name);
		return kept?.value.removedAt === undefined ? kept?.value : undefined;
	}

	/** The account's domains and those below them, by name. */
	async of(accountId: string): Promise<DomainView[]> {
		const memberships = (await this.#memberships.of(accountId)).filter(({ role }) => role !== 'admin');
		const own = new Map(memberships.map(({ domainName, role }) => [domainName, role]));
		const found = new Map((await this.#domains.getAll([...own.keys()])).map((kept) => [kept.id, kept.value]));
		// '0' is what follows '/': everything below a name lies between the two.
		for (const name of own.keys()) {
			const below = await this.#domains.find({
				where: { name: { gt: `${name}/`, lt: `${name}0` } },
				limit: MOST_LISTED,
			});
			for (const { id, value } of below) if (value.removedAt === undefined) found.set(id, value);
		}
		return [...found.values()]
			.sort((a, b) => (a.name < b.name ? -1 : 1))
			.map(({ name, public: isPublic }) => {
				const role = own.get(name);
				return role
					? { name, role, public: isPublic }
					: { name, role: inherited(memberships, name), public: isPublic, inherited: true };
			});
	}

	async listPublic(): Promise<{ name: string }[]> {
		const found = await this.#domains.find({ where: { public: true }, order: { by: 'name' }, limit: MOST_LISTED });
		return found.map(({ id }) => ({ name: id }));
	}

	async setPublic(name: string, isPublic: boolean): Promise<void> {
		await retryOnConflict(async () => {
			const kept = await this.#require(name);
			if (kept.value.public !== isPublic)
				await this.#store.commit([this.#domains.replace(kept, { ...kept.value, public: isPublic })]);
		});
	}

	/**
	 * Removes a domain that nobody but `accountId` belongs to, with nothing below it and no device that may still send.
	 * Its name stays taken.
	 * @throws CrowdVisionError `conflict` for one that is not empty.
	 */
	async remove(name: string, accountId: string): Promise<void> {
		const devices = this.#store.collection<DeviceDocument>('devices');
		const memberships = this.#store.collection<MembershipDocument>('memberships');
		const kept = await this.#require(name);
		const [members, below, active] = await Promise.all([
			memberships.find({ where: { domainName: name }, limit: 2 }),
			this.#domains.find({ where: { name: { gt: `${name}/`, lt: `${name}0` } }, limit: MOST_LISTED }),
			devices.find({ where: { domainName: name }, limit: MOST_LISTED }),
		]);
		if (members.some(({ value }) => value.accountId !== accountId))
			throw new CrowdVisionError('conflict', 'The domain has other members');
		if (below.some(({ value }) => value.removedAt === undefined))
			throw new CrowdVisionError('conflict', 'There are domains below it');
		if (active.some(({ value }) => value.revokedAt === undefined))
			throw new CrowdVisionError('conflict', 'The domain has devices: revoke them first');
		await this.#store.commit([
			this.#domains.replace(kept, { ...kept.value, public: false, removedAt: Date.now() }),
			...members.map((member) => memberships.remove(member)),
			this.#store.collection('invites').remove(name),
			this.#store.collection('sso').remove(name),
		]);
	}

	async #require(name: string): Promise<Kept<DomainDocument>> {
		const kept = await this.#domains.get(name);
		if (!kept || kept.value.removedAt !== undefined) throw new CrowdVisionError('not_found', 'There is no such domain');
		return kept;
	}
}

function inherited(memberships: readonly Membership[], name: string): Membership['role'] {
	const [highest] = memberships
		.filter((one) => weightIn([one], [name]) > 0)
		.sort((a, b) => weightIn([b], [name]) - weightIn([a], [name]));
	return highest!.role;
}
