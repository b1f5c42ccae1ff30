/** Invitations of accounts into domains, which each account accepts or declines itself. */
import { createHash } from 'node:crypto';
import { CrowdVisionError, type DomainRole, type InvitationView, ROLES } from '@crowdvision/contracts';
import { type Collection, type DocumentCursor, documentPage, type Store } from '@crowdvision/store';
import type { DomainDocument, InvitationDocument } from '../store.ts';
import type { Memberships } from './memberships.ts';

/** Invitations of one account; with one more, the oldest goes: whoever invites must not fill the list for others. */
const MAX_PER_ACCOUNT = 200;

export class Invitations {
	readonly #store: Store;
	readonly #memberships: Memberships;
	readonly #invitations: Collection<InvitationDocument>;
	readonly #domains: Collection<DomainDocument>;

	constructor(store: Store, memberships: Memberships) {
		this.#store = store;
		this.#memberships = memberships;
		this.#invitations = store.collection('invitations');
		this.#domains = store.collection('domains');
	}

	/**
	 * Invites an account, once per domain: inviting it again replaces the role.
	 * @param weight the weight of the account that invites
	 * @throws CrowdVisionError `forbidden` for a role above one's own
	 */
	async invite(accountId: string, domainName: string, role: DomainRole, weight: number): Promise<void> {
		requireNotAbove(role, weight);
		const own = await this.#invitations.find({
			where: { accountId },
			order: { by: 'at', descending: true },
			limit: 2 * MAX_PER_ACCOUNT,
		});
		await this.#store.commit([
			this.#invitations.put(idOf(accountId, domainName), { accountId, domainName, role, at: Date.now() }),
			...own.slice(MAX_PER_ACCOUNT - 1).map(({ id }) => this.#invitations.remove(id)),
		]);
	}

	/** A page of an account's invitations, newest first; without those of domains that were removed. */
	async of(
		accountId: string,
		page: { limit: number; after: DocumentCursor | undefined },
	): Promise<{ invitations: InvitationView[]; next: DocumentCursor | undefined }> {
		const { documents, next } = await documentPage(this.#invitations, { sections: [{ accountId }], by: 'at', ...page });
		const names = documents.map(({ value }) => value.domainName);
		const existing = new Set(
			(await this.#domains.getAll(names)).filter(({ value }) => value.removedAt === undefined).map(({ id }) => id),
		);
		const invitations = documents
			.filter(({ value }) => existing.has(value.domainName))
			.map(({ id, value: { domainName, role, at } }) => ({ id, domainName, role, at }));
		return { invitations, next };
	}

	/**
	 * Makes the account a member with the role of the invitation. Resolves with the domain and the account's role then.
	 * @throws CrowdVisionError `not_found` unless the invitation is this account's and its domain exists
	 */
	async accept(accountId: string, id: string): Promise<{ name: string; role: DomainRole; public: boolean }> {
		const { domainName, role } = await this.#require(accountId, id);
		const domain = (await this.#domains.get(domainName))?.value;
		if (!domain || domain.removedAt !== undefined) throw noSuchInvitation();
		const joined = await this.#memberships.join(accountId, domainName, role);
		await this.#store.commit([this.#invitations.remove(id)]);
		return { name: domainName, role: joined, public: domain.public };
	}

	/** @throws CrowdVisionError `not_found` unless the invitation is this account's */
	async decline(accountId: string, id: string): Promise<void> {
		await this.#require(accountId, id);
		await this.#store.commit([this.#invitations.remove(id)]);
	}

	/** Takes an invitation back, if there is one. */
	async withdraw(accountId: string, domainName: string): Promise<void> {
		await this.#store.commit([this.#invitations.remove(idOf(accountId, domainName))]);
	}

	async #require(accountId: string, id: string): Promise<InvitationDocument> {
		const stored = await this.#invitations.get(id);
		if (stored?.value.accountId !== accountId) throw noSuchInvitation();
		return stored.value;
	}
}

/** @throws CrowdVisionError `forbidden` for a role above one's own */
export function requireNotAbove(role: DomainRole, weight: number): void {
	if (ROLES[role] > weight) throw new CrowdVisionError('forbidden', 'Nobody gives or takes a role above their own');
}

const noSuchInvitation = () => new CrowdVisionError('not_found', 'There is no such invitation');

/** The same for the same account and domain, and says nothing of either. */
const idOf = (accountId: string, domainName: string) =>
	createHash('sha256').update(`${accountId} ${domainName}`).digest('base64url').slice(0, 32);
