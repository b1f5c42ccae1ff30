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

/** A token carries its account's memberships in the headers of every request, and servers accept 16 KiB of headers. */
const MAX_MEMBERSHIPS = 100;
const MAX_BYTES = 8000;
const MAX_MEMBERS = 10_000;

const idOf = (accountId: string, domainName: string) => `${accountId} ${domainName}`;

/** Which account has which role in which domain. */
export class Memberships {
	readonly #store: Store;
	readonly #memberships: Collection<MembershipDocument>;
	readonly #domains: Collection<DomainDocument>;
	readonly #sessions: Sessions;
	readonly #admins: ReadonlySet<string>;

	/** @param admins ids of the accounts that are admins of the whole platform */
	constructor(store: Store, sessions: Sessions, admins: readonly string[] = []) {
		this.#store = store;
		this.#memberships = store.collection('memberships');
		this.#domains = store.collection('domains');
		this.#sessions = sessions;
		this.#admins = new Set(admins);
	}

	/** The memberships that a token of this account carries. Removed domains are left out. */
	async of(accountId: string): Promise<Membership[]> {
		const found = await this.#memberships.find({ where: { accountId }, limit: MAX_MEMBERSHIPS });
		const domains = await this.#domains.getAll(found.map(({ value }) => value.domainName));
		const existing = new Set(domains.filter(({ value }) => value.removedAt === undefined).map(({ id }) => id));
		const platform: Membership[] = this.#admins.has(accountId) ? [{ domainName: PLATFORM, role: 'admin' }] : [];
		return [
			...platform,
			...found
				.filter(({ value }) => existing.has(value.domainName))
				.map(({ value: { domainName, role } }) => ({ domainName, role })),
		];
	}

	/**
	 * Resolves with the account's weight in a domain, which is at least that of `role`.
	 * @throws CrowdVisionError `not_found` when the domain does not exist or the account is no member of it, `forbidden`
	 * when its role is too low
	 */
	async require(accountId: string, domainName: string, role: Role): Promise<number> {
		const weight = weightIn(await this.of(accountId), [domainName]);
		const domain = weight > 0 ? await this.#domains.get(domainName) : undefined;
		if (!domain || domain.value.removedAt !== undefined)
			throw new CrowdVisionError('not_found', 'There is no such domain');
		if (weight < ROLES[role]) throw new CrowdVisionError('forbidden', `This needs the role ${role} or a higher one`);
		return weight;
	}

	/** The members of one domain, sorted by account id; at most 10,000. Members of its parents are left out. */
	async members(domainName: string): Promise<MembershipDocument[]> {
		return (await this.#memberships.find({ where: { domainName }, limit: MAX_MEMBERS })).map(({ value }) => value);
	}

	async member(accountId: string, domainName: string): Promise<MembershipDocument | undefined> {
		return (await this.#memberships.get(idOf(accountId, domainName)))?.value;
	}

	/**
	 * The write that makes an account a member of a domain.
	 * @throws CrowdVisionError `forbidden` when its token could not carry another membership
	 */
	async add(accountId: string, domainName: string, role: DomainRole): Promise<Write> {
		const current = await this.of(accountId);
		if (current.length >= MAX_MEMBERSHIPS || JSON.stringify(current).length + domainName.length + 50 > MAX_BYTES) {
			throw new CrowdVisionError(
				'forbidden',
				'This account is a member of as many domains as a session can hold: leave one first',
			);
		}
		return this.#memberships.insert(idOf(accountId, domainName), { accountId, domainName, role, since: Date.now() });
	}

	/** Makes an account a member with this role, or raises its role to it; never lowers one. @returns its role then */
	join(accountId: string, domainName: string, role: DomainRole): Promise<DomainRole> {
		return retryOnConflict(async () => {
			const stored = await this.#memberships.get(idOf(accountId, domainName));
			if (stored && ROLES[stored.value.role] >= ROLES[role]) return stored.value.role;
			await this.#store.commit([
				stored
					? this.#memberships.replace(stored, { ...stored.value, role })
					: await this.add(accountId, domainName, role),
			]);
			return role;
		});
	}

	/**
	 * Sets an account's role in a domain, or ends its membership when `role` is undefined. A lower role applies to issued
	 * tokens at once.
	 * @param weight the weight of the account that makes the change
	 * @throws CrowdVisionError `forbidden` for a role above one's own, `conflict` for the last business_admin,
	 * `not_found` when there is no membership to end
	 */
	async change(accountId: string, domainName: string, role: DomainRole | undefined, weight: number): Promise<void> {
		const task = retryOnConflict(async () => {
			const stored = await this.#memberships.get(idOf(accountId, domainName));
			if (!stored && role === undefined) throw new CrowdVisionError('not_found', 'There is no such member');
			const before = stored ? ROLES[stored.value.role] : 0;
			const after = role ? ROLES[role] : 0;
			if (Math.max(before, after) > weight)
				throw new CrowdVisionError('forbidden', 'Nobody gives or takes a role above their own');
			if (!stored) return this.#store.commit([await this.add(accountId, domainName, role!)]);
			if (stored.value.role === role) return;
			const writes = [
				role ? this.#memberships.replace(stored, { ...stored.value, role }) : this.#memberships.remove(stored),
			];
			if (stored.value.role === 'business_admin') writes.push(await this.#requireAnotherAdmin(domainName));
			if (after < before) writes.push(await this.#sessions.makeStale(accountId));
			await this.#store.commit(writes);
		});
		await task.catch((error: unknown) => {
			if (!(error instanceof LastAdmin)) throw error;
			throw new CrowdVisionError('conflict', 'A domain needs a business_admin: make another member one first');
		});
	}

	/**
	 * The write that keeps two admins from leaving at once: both replace the domain, so one commit is refused and is
	 * decided again.
	 * @throws LastAdmin when the domain has one business_admin
	 */
	async #requireAnotherAdmin(domainName: string): Promise<Write> {
		const domain = await this.#domains.get(domainName);
		const admins = await this.#memberships.find({ where: { domainName, role: 'business_admin' }, limit: 2 });
		if (!domain || admins.length < 2) throw new LastAdmin();
		return this.#domains.replace(domain, domain.value);
	}
}

/** Not a CrowdVisionError `conflict`, because `retryOnConflict` would retry that. */
class LastAdmin extends Error {}
