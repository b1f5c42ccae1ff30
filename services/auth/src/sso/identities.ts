import { createHash, randomUUID } from 'node:crypto';
import type { AccountView, DomainRole } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store } from '@crowdvision/store';
import type { Memberships } from '../domains/memberships.ts';
import type { AccountDocument, IdentityDocument } from '../store.ts';

/** What a provider said of somebody, its signature checked. */
export interface ProviderClaims {
	issuer: string;
	subject: string;
	name: string;
	/** As the provider says; nobody has checked it here. */
	email?: string;
}

/**
 * Accounts of people who sign in by a provider: one for each issuer and subject. A domain's admin chooses the provider,
 * which can say what it likes: so it never leads to an account that did not begin with it, whatever e-mail address it
 * tells, and takes no address from anybody.
 */
export class Identities {
	readonly #store: Store;
	readonly #identities: Collection<IdentityDocument>;
	readonly #accounts: Collection<AccountDocument>;
	readonly #memberships: Memberships;

	constructor(store: Store, memberships: Memberships) {
		this.#store = store;
		this.#identities = store.collection('identities');
		this.#accounts = store.collection('accounts');
		this.#memberships = memberships;
	}

	/**
	 * The account, made at the first sign-in; a member of the domain by which it came, unless it was removed from there.
	 */
	signIn({ issuer, subject, name, email }: ProviderClaims, domainName: string, role: DomainRole): Promise<AccountView> {
		const id = createHash('sha256').update(`${issuer}\n${subject}`).digest('base64url');
		return retryOnConflict(async () => {
			const kept = await this.#identities.get(id);
			if (!kept) {
				const accountId = randomUUID();
				const account: AccountDocument = {
					name,
					provider: issuer,
					createdAt: Date.now(),
					...(email !== undefined && { contact: email }),
				};
				await this.#store.commit([
					this.#accounts.insert(accountId, account),
					this.#identities.insert(id, { issuer, subject, accountId, domains: [domainName] }),
					await this.#memberships.add(accountId, domainName, role),
				]);
				return { id: accountId, name };
			}
			const { accountId, domains } = kept.value;
			const account = await this.#accounts.get(accountId);
			if (!domains.includes(domainName)) {
				const already = await this.#memberships.member(accountId, domainName);
				await this.#store.commit([
					this.#identities.replace(kept, { ...kept.value, domains: [...domains, domainName] }),
					...(already ? [] : [await this.#memberships.add(accountId, domainName, role)]),
				]);
			}
			return { id: accountId, name: account?.value.name ?? name };
		});
	}
}
