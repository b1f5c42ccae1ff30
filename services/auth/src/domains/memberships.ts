import {
	CrowdVisionError,
	type DomainRole,
	type Membership,
	PLATFORM,
	ROLES,
	type Role,
	weightIn,
} from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store, Write } from '@crowdvision/store';
import type { Sessions } from '../accounts/sessions.ts';
import type { DomainDocument, MembershipDocument } from '../store.ts';

/** Memberships stand in the token, and a token in the headers of every request: 16 KiB of those are taken. */
const MOST_MEMBERSHIPS = 100;
const MOST_BYTES = 8000;
const MOST_MEMBERS = 10_000;

const idOf = (accountId: string, domainName: string) => `${accountId} ${domainName}`;

/** Who belongs where, and as what. */
export class Memberships {
	readonly #store: Store;
	readonly #memberships: Collection<MembershipDocument>;
	readonly #domains: Collection<DomainDocument>;
	readonly #sessions: Sessions;
	readonly #admins: ReadonlySet<string>;

	constructor(store: Store, sessions: Sessions, admins: readonly string[] = []) {
		this.#store = store;
		this.#memberships = store.collection('memberships');
		this.#domains = store.collection('domains');
		this.#sessions = sessions;
		this.#admins = new Set(admins);
	}

	/** What a token of this account tells, as of now. Those of removed domains are not among them. */
	async of(accountId: string): Promise<Membership[]> {
		const found = await this.#memberships.find({ where: { accountId }, limit: MOST_MEMBERSHIPS });
		const domains = await this.#domains.getAll(found.map(({ value }) => value.domainName));
		const there = new Set(domains.filter(({ value }) => value.removedAt === undefined).map(({ id }) => id));
		const own: Membership[] = this.#admins.has(accountId) ? [{ domainName: PLATFORM, role: 'admin' }] : [];
		return [
			...own,
			...found
				.filter(({ value }) => there.has(value.domainName))
				.map(({ value: { domainName, role } }) => ({ domainName, role })),
		];
	}

	/**
	 * @throws CrowdVisionError `not_found` for a domain that is unknown or foreign, `forbidden` for a member of too
	 * little weight.
	 */
	async require(accountId: string, domainName: string, role: Role): Promise<number> {
		const weight = weightIn(await this.of(accountId), [domainName]);
		const domain = weight > 0 ? await this.#domains.get(domainName) : undefined;
		if (!domain || domain.value.removedAt !== undefined)
			throw new CrowdVisionError('not_found', 'There is no such domain');
		if (weight < ROLES[role]) throw new CrowdVisionError('forbidden', `This needs the role ${role} or a higher one`);
		return weight;
	}

	/** Of one domain, by account. Those of domains above it are not among them. */
	async members(domainName: string): Promise<MembershipDocument[]> {
		return (await this.#memberships.find({ where: { domainName }, limit: MOST_MEMBERS })).map(({ value }) => value);
	}

	async member(accountId: string, domainName: string): Promise<MembershipDocument | undefined> {
		return (await this.#memberships.get(idOf(accountId, domainName)))?.value;
	}

	/**
	 * The write that makes somebody a member who is none.
	 * @throws CrowdVisionError `forbidden` for somebody who is a member of as many domains as a token can tell of.
	 */
	async add(accountId: string, domainName: string, role: DomainRole): Promise<Write> {
		const present = await this.of(accountId);
		if (present.length >= MOST_MEMBERSHIPS || JSON.stringify(present).length + domainName.length + 50 > MOST_BYTES) {
			throw new CrowdVisionError(
				'forbidden',
				'This account is a member of as many domains as a session can hold: leave one first',
			);
		}
		return this.#memberships.insert(idOf(accountId, domainName), { accountId, domainName, role, since: Date.now() });
	}

	/** Makes somebody a member of this role, or lifts their role to it; never lowers one. @returns the role they have. */
	join(accountId: string, domainName: string, role: DomainRole): Promise<DomainRole> {
		return retryOnConflict(async () => {
			const kept = await this.#memberships.get(idOf(accountId, domainName));
			if (kept && ROLES[kept.value.role] >= ROLES[role]) return kept.value.role;
			await this.#store.commit([
				kept ? this.#memberships.replace(kept, { ...kept.value, role }) : await this.add(accountId, domainName, role),
			]);
			return role;
		});
	}

	/**
	 * Gives somebody a role, or with undefined ends their membership. `weight` is the weight of who does it. What was
	 * taken away is void in tokens at once.
	 * @throws CrowdVisionError `forbidden` for a role above one's own, `conflict` for the last business_admin,
	 * `not_found` to end what is none.
	 */
	async change(accountId: string, domainName: string, role: DomainRole | undefined, weight: number): Promise<void> {
		const task = retryOnConflict(async () => {
			const kept = await this.#memberships.get(idOf(accountId, domainName));
			if (!kept && role === undefined) throw new CrowdVisionError('not_found', 'There is no such member');
			const had = kept ? ROLES[kept.value.role] : 0;
			const has = role ? ROLES[role] : 0;
			if (Math.max(had, has) > weight)
				throw new CrowdVisionError('forbidden', 'Nobody gives or takes a role above their own');
			if (!kept) return this.#store.commit([await this.add(accountId, domainName, role!)]);
			if (kept.value.role === role) return;
			const writes = [role ? this.#memberships.replace(kept, { ...kept.value, role }) : this.#memberships.remove(kept)];
			if (kept.value.role === 'business_admin') writes.push(await this.#notTheLast(domainName));
			if (has < had) writes.push(await this.#sessions.makeStale(accountId));
			await this.#store.commit(writes);
		});
		await task.catch((error: unknown) => {
			if (!(error instanceof LastAdmin)) throw error;
			throw new CrowdVisionError(
				'conflict',
				'A domain keeps at least one business_admin: make somebody else one first',
			);
		});
	}

	/**
	 * The write that makes two admins who leave at once wait for each other: both replace the domain, so one of them is
	 * refused and looks again.
	 */
	async #notTheLast(domainName: string): Promise<Write> {
		const domain = await this.#domains.get(domainName);
		const admins = await this.#memberships.find({ where: { domainName, role: 'business_admin' }, limit: 2 });
		if (!domain || admins.length < 2) throw new LastAdmin();
		return this.#domains.replace(domain, domain.value);
	}
}

/** Not a `conflict` before it leaves `retryOnConflict`, which would try again what cannot succeed. */
class LastAdmin extends Error {}
