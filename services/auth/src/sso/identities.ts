import { createHash, randomUUID } from 'node:crypto';
import type { AccountView, DomainRole } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store } from '@crowdvision/store';
import type { Memberships } from '../domains/memberships.ts';
import type { AccountDocument, IdentityDocument } from '../store.ts';

/** A person as described by an identity provider in a token whose signature was verified. */
export interface ProviderClaims {
	issuer: string;
	subject: string;
	name: string;
	/** As stated by the provider; auth has not verified it. */
	email?: string;
}

/**
 * Accounts of people who sign in through an identity provider: one account per issuer and subject. A domain's admin
 * chooses the provider, which can state any e-mail address; so it never gives access to an account that was created in
 * another way, and reserves no e-mail address.
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
	 * Resolves with the person's account, which is created on the first sign-in. It becomes a member of this domain on
	 * its first sign-in there; whoever was removed from the domain afterwards is not added again.
	 */
	signIn({ issuer, subject, name, email }: ProviderClaims, domainName: string, role: DomainRole): Promise<AccountView> {
		const id = createHash('sha256').update(`${issuer}\n${subject}`).digest('base64url');
		return retryOnConflict(async () => {
			const stored = await this.#identities.get(id);
			if (!stored) {
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
			const { accountId, domains } = stored.value;
			const account = await this.#accounts.get(accountId);
			if (!domains.includes(domainName)) {
				const already = await this.#memberships.member(accountId, domainName);
				await this.#store.commit([
					this.#identities.replace(stored, { ...stored.value, domains: [...domains, domainName] }),
					...(already ? [] : [await this.#memberships.add(accountId, domainName, role)]),
				]);
			}
			return { id: accountId, name: account?.value.name ?? name };
		});
	}
}
