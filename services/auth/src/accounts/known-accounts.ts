import type { Membership, RetainedAccount } from '@crowdvision/contracts';
import type { RetainedSource } from '@crowdvision/service-kit';
import { type Collection, type DocumentCursor, documentPage, type Store } from '@crowdvision/store';
import { type AccountDocument, contactOf, type MembershipDocument } from '../store.ts';

const PAGE = 500;

/** Every account as other services know it: the source of the table `registry:accounts`. */
export class KnownAccounts implements RetainedSource {
	readonly #accounts: Collection<AccountDocument>;
	readonly #memberships: { of(accountId: string): Promise<Membership[]> };

	constructor(store: Store, memberships: { of(accountId: string): Promise<Membership[]> }) {
		this.#accounts = store.collection('accounts');
		this.#memberships = memberships;
	}

	async keys(): Promise<string[]> {
		const ids: string[] = [];
		let after: DocumentCursor | undefined;
		do {
			const page = await documentPage(this.#accounts, { sections: [{}], by: 'createdAt', limit: PAGE, after });
			ids.push(...page.documents.map(({ id }) => id));
			after = page.next;
		} while (after);
		return ids;
	}

	async read(accountId: string): Promise<string | null> {
		const stored = await this.#accounts.get(accountId);
		if (!stored) return null;
		const { name, language, confirmed, generation = 0 } = stored.value;
		const email = contactOf(stored.value);
		return JSON.stringify({
			name,
			...(language !== undefined && { language }),
			...(email !== undefined && { email }),
			emailConfirmed: email !== undefined && confirmed === email,
			memberships: await this.#memberships.of(accountId),
			generation,
		} satisfies RetainedAccount);
	}
}

/**
 * The store, which calls `onChanged` with the ids of accounts after each commit that wrote something of them or of
 * their memberships: whoever changes them need not think of the table.
 */
export function tellingOfAccounts(store: Store, onChanged: (accountIds: string[]) => void): Store {
	return {
		collection: (name) => store.collection(name),
		commit: async (writes) => {
			await store.commit(writes);
			const ids = writes.flatMap(({ collection, id, value }) => {
				if (collection === 'accounts') return [id];
				// The id of a membership begins with the account's.
				return collection === 'memberships'
					? [(value as MembershipDocument | undefined)?.accountId ?? id.slice(0, 36)]
					: [];
			});
			if (ids.length > 0) onChanged([...new Set(ids)]);
		},
		get readings() {
			return store.readings;
		},
		trouble: () => store.trouble(),
		close: () => store.close(),
	};
}
