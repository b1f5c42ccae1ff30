import { CrowdVisionError } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store, Write } from '@crowdvision/store';
import type { Sessions } from '../accounts/sessions.ts';
import type { AccountDocument, DomainDocument, IdentityDocument, MembershipDocument } from '../store.ts';

const MAX_DOCUMENTS = 1000;

/** Deletes accounts, with their memberships and the identities by which they sign in. */
export class AccountRemovals {
	readonly #store: Store;
	readonly #accounts: Collection<AccountDocument>;
	readonly #memberships: Collection<MembershipDocument>;
	readonly #domains: Collection<DomainDocument>;
	readonly #sessions: Sessions;

	constructor(store: Store, sessions: Sessions) {
		this.#store = store;
		this.#accounts = store.collection('accounts');
		this.#memberships = store.collection('memberships');
		this.#domains = store.collection('domains');
		this.#sessions = sessions;
	}

	/**
	 * Deletes an account and ends its sessions. Its id is never used again.
	 * @throws CrowdVisionError `not_found`; `conflict` while it is the only business_admin of a domain
	 */
	async remove(accountId: string): Promise<void> {
		const task = retryOnConflict(async () => {
			const stored = await this.#accounts.get(accountId);
			if (!stored) throw new CrowdVisionError('not_found', 'There is no such account');
			const memberships = await this.#memberships.find({ where: { accountId }, limit: MAX_DOCUMENTS });
			const writes: Write[] = [];
			for (const membership of memberships) {
				writes.push(this.#memberships.remove(membership));
				if (membership.value.role === 'business_admin') writes.push(...(await this.#leaveToOthers(membership.value)));
			}
			if (stored.value.provider !== undefined) writes.push(...(await this.#identitiesOf(accountId)));
			await this.#store.commit([...writes, this.#accounts.remove(stored), await this.#sessions.endAll(accountId)]);
		});
		await task.catch((error: unknown) => {
			throw error instanceof LastAdmin ? new CrowdVisionError('conflict', error.message) : error;
		});
	}

	/** The write that keeps two admins from leaving a domain at once; none for a removed domain. */
	async #leaveToOthers({ domainName }: MembershipDocument): Promise<Write[]> {
		const domain = await this.#domains.get(domainName);
		if (!domain || domain.value.removedAt !== undefined) return [];
		const admins = await this.#memberships.find({ where: { domainName, role: 'business_admin' }, limit: 2 });
		if (admins.length < 2)
			throw new LastAdmin(
				`The account is the only business_admin of ${domainName}: make another member one, or remove the domain first`,
			);
		return [this.#domains.replace(domain, domain.value)];
	}

	async #identitiesOf(accountId: string): Promise<Write[]> {
		const identities = this.#store.collection<IdentityDocument>('identities');
		const found = await identities.find({ where: { accountId }, limit: MAX_DOCUMENTS });
		return found.map((identity) => identities.remove(identity));
	}
}

/** Not a CrowdVisionError `conflict`, because `retryOnConflict` would retry that. */
class LastAdmin extends Error {}
