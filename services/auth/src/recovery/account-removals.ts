import { CrowdVisionError, type RetainedAccountRemoval } from '@crowdvision/contracts';
import { type RetainedSource, retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store, Write } from '@crowdvision/store';
import type { Sessions } from '../accounts/sessions.ts';
import type { AccountDocument, DomainDocument, MembershipDocument, RemovedAccountDocument } from '../store.ts';

const MAX_DOCUMENTS = 1000;
const REMOVE_BATCH = 100;
const MAX_TOLD = 100_000;
/** How long traces are looked for that a removal left behind because it was cut short. */
const CUT_SHORT_MS = 2 * 3600_000;
/** How long other services can hear of a removal: a service that was away for longer keeps what it has. */
const TOLD_MS = 365 * 24 * 3600_000;
/** Everything of an account that nobody else needs. */
const OWN_COLLECTIONS = ['invitations', 'passwordResets', 'openSessions', 'identities'] as const;

/** Deletes accounts with all that auth keeps of them, and tells the other services to do the same. */
export class AccountRemovals implements RetainedSource {
	readonly #store: Store;
	readonly #accounts: Collection<AccountDocument>;
	readonly #memberships: Collection<MembershipDocument>;
	readonly #domains: Collection<DomainDocument>;
	readonly #removed: Collection<RemovedAccountDocument>;
	readonly #sessions: Sessions;

	constructor(store: Store, sessions: Sessions) {
		this.#store = store;
		this.#accounts = store.collection('accounts');
		this.#memberships = store.collection('memberships');
		this.#domains = store.collection('domains');
		this.#removed = store.collection('removedAccounts');
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
			await this.#store.commit([
				...writes,
				this.#accounts.remove(stored),
				this.#removed.put(accountId, { at: Date.now() }),
				await this.#sessions.endAll(accountId),
			]);
		});
		await task.catch((error: unknown) => {
			throw error instanceof LastAdmin ? new CrowdVisionError('conflict', error.message) : error;
		});
		await this.#removeTraces(accountId);
	}

	async keys(): Promise<string[]> {
		const told = await this.#removed.find({ where: { at: { gt: Date.now() - TOLD_MS } }, limit: MAX_TOLD });
		return told.map(({ id }) => id);
	}

	async read(accountId: string): Promise<string | null> {
		const removed = await this.#removed.get(accountId);
		return removed ? JSON.stringify({ at: removed.value.at } satisfies RetainedAccountRemoval) : null;
	}

	/**
	 * Removes what a removal that was cut short has left behind, and what needs not be told any more. Resolves with the
	 * accounts that are no longer told.
	 */
	async maintain(): Promise<string[]> {
		const recently = { at: { gt: Date.now() - CUT_SHORT_MS } };
		const recent = await this.#removed.find({ where: recently, limit: MAX_DOCUMENTS });
		for (const { id } of recent) await this.#removeTraces(id);
		const old = await this.#removed.find({ where: { at: { lt: Date.now() - TOLD_MS } }, limit: REMOVE_BATCH });
		await this.#store.commit(old.map(({ id }) => this.#removed.remove(id)));
		return old.map(({ id }) => id);
	}

	/** They may be many, and are of no use without the account: each batch is a commit of its own. */
	async #removeTraces(accountId: string): Promise<void> {
		for (const name of OWN_COLLECTIONS) {
			const collection = this.#store.collection<{ accountId: string }>(name);
			for (;;) {
				const batch = await collection.find({ where: { accountId }, limit: REMOVE_BATCH });
				if (batch.length > 0) await this.#store.commit(batch.map(({ id }) => collection.remove(id)));
				if (batch.length < REMOVE_BATCH) break;
			}
		}
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
}

/** Not a CrowdVisionError `conflict`, because `retryOnConflict` would retry that. */
class LastAdmin extends Error {}
