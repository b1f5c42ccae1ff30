import type { Alert } from '@crowdvision/contracts';
import type { AccountDirectory, BuildingDirectory } from '@crowdvision/service-kit';
import type { Collection, Store } from '@crowdvision/store';
import type { PreferencesDocument, SubscriptionDocument } from './recipient-documents.ts';
import type { Candidate, Change, Circumstances, RowsContext } from './rows-for.ts';
import type { WebhookDocument } from './webhook-document.ts';

/** Members of one domain who may have said how to be called, and webhooks of one domain. */
const MAX_PEOPLE = 10_000;
const MAX_DEVICES = 20;
const MAX_WEBHOOKS = 1000;

export interface RecipientsParts {
	store: Store;
	directory: BuildingDirectory;
	accounts: AccountDirectory;
	/** Whether e-mails can be sent at all. */
	mails: boolean;
	/** What policy and life of an alert say now. Default: nothing. */
	circumstancesOf?: (alert: Alert, now: number) => Circumstances;
}

/** Gathers who might be called about a change. */
export class Recipients {
	readonly #parts: RecipientsParts;
	readonly #preferences: Collection<PreferencesDocument>;
	readonly #subscriptions: Collection<SubscriptionDocument>;
	readonly #webhooks: Collection<WebhookDocument>;

	constructor(parts: RecipientsParts) {
		this.#parts = parts;
		this.#preferences = parts.store.collection('preferences');
		this.#subscriptions = parts.store.collection('subscriptions');
		this.#webhooks = parts.store.collection('webhooks');
	}

	/** The domains that own an alert now; none of an alert whose building or room is another one by now. */
	ownersOf(alert: Alert): readonly string[] {
		const { directory } = this.#parts;
		if (alert.buildingId === undefined) return alert.domainNames;
		return directory.isCurrent(alert) ? (directory.get(alert.buildingId)?.domains ?? []) : [];
	}

	/** What `rowsFor` needs to know of a change, but for who was called before. */
	async contextOf({ alert }: Change, now: number): Promise<Omit<RowsContext, 'wasCalled'>> {
		const owners = this.ownersOf(alert);
		const domains = [...new Set(owners.flatMap(domainsAbove))];
		const where = { domainName: { in: domains } };
		const [people, webhooks] =
			domains.length === 0
				? [[], []]
				: await Promise.all([
						this.#preferences.find({ where, limit: MAX_PEOPLE }),
						this.#webhooks.find({ where, limit: MAX_WEBHOOKS }),
					]);
		const candidates: Candidate[] = [];
		for (const { value } of people) {
			const { accountId, domainName, site: _site, ...preferences } = value;
			candidates.push({
				...{ accountId, domainName, preferences },
				account: this.#parts.accounts.get(accountId),
				devices: preferences.channels.includes('push') ? await this.#devicesOf(accountId) : [],
			});
		}
		return {
			...{ owners, candidates, mails: this.#parts.mails },
			webhooks: webhooks.map(({ id, value: { domainName, severities, kinds } }) => ({
				...{ id, domainName },
				...(severities && { severities }),
				...(kinds && { kinds }),
			})),
			circumstances: this.#parts.circumstancesOf?.(alert, now) ?? {},
			zone: this.#zoneOf(alert),
			now,
		};
	}

	/** What a person has set for domains and those above them. */
	async preferencesOf(accountId: string, domains: readonly string[]): Promise<PreferencesDocument[]> {
		const ids = [...new Set(domains.flatMap(domainsAbove))].map((domain) => `${accountId} ${domain}`);
		return ids.length === 0 ? [] : (await this.#preferences.getAll(ids)).map(({ value }) => value);
	}

	async #devicesOf(accountId: string): Promise<string[]> {
		const found = await this.#subscriptions.find({ where: { accountId }, limit: MAX_DEVICES });
		return found.map(({ id }) => id);
	}

	#zoneOf({ buildingId }: Alert): string {
		return (buildingId !== undefined && this.#parts.directory.get(buildingId)?.timeZone) || 'UTC';
	}
}

/** A domain and those above it: a preference or webhook of `a` is about `a/b` too. */
function domainsAbove(domain: string): string[] {
	const parts = domain.split('/');
	return parts.map((_part, index) => parts.slice(0, index + 1).join('/'));
}
