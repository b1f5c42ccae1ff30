import { NO_PREFERENCES, type Preferences } from '@crowdvision/contracts';
import type { Collection, Store } from '@crowdvision/store';
import type { PreferencesDocument } from './recipient-documents.ts';

const idOf = (accountId: string, domainName: string) => `${accountId} ${domainName}`;

/** How people want to be called, per domain. */
export class PreferencesOfPeople {
	readonly #store: Store;
	readonly #preferences: Collection<PreferencesDocument>;

	constructor(store: Store) {
		this.#store = store;
		this.#preferences = store.collection('preferences');
	}

	/** What somebody has set; what holds for those who have set nothing otherwise. */
	async of(accountId: string, domainName: string): Promise<Preferences> {
		const stored = await this.find(accountId, domainName);
		if (!stored) return NO_PREFERENCES;
		const { kinds, lowestSeverity, channels, hours } = stored;
		return { kinds, lowestSeverity, channels, ...(hours && { hours }) };
	}

	async find(accountId: string, domainName: string): Promise<PreferencesDocument | undefined> {
		return (await this.#preferences.get(idOf(accountId, domainName)))?.value;
	}

	async set(accountId: string, domainName: string, wanted: Preferences, site: string): Promise<void> {
		await this.#store.commit([
			this.#preferences.put(idOf(accountId, domainName), { ...wanted, accountId, domainName, site }),
		]);
	}
}
