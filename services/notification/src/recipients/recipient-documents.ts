/** What is stored of people and how they want to be called. */
import type { Preferences } from '@crowdvision/contracts';
import type { StoreDefinition } from '@crowdvision/store';

/** Id: `${accountId} ${domainName}`. */
export interface PreferencesDocument extends Preferences {
	accountId: string;
	domainName: string;
	/** Where its owner finds this installation. */
	site: string;
}

/** A device that takes push messages. Id: a hash of account and endpoint. */
export interface SubscriptionDocument {
	accountId: string;
	endpoint: string;
	keys: { p256dh: string; auth: string };
	/** What the browser calls itself. */
	name?: string;
	site: string;
	createdAt: number;
}

export const RECIPIENT_COLLECTIONS: StoreDefinition['collections'] = {
	preferences: { indexes: { account: { fields: ['accountId'] }, domain: { fields: ['domainName'] } } },
	subscriptions: { indexes: { account: { fields: ['accountId', 'createdAt'] } } },
	webhooks: { indexes: { domain: { fields: ['domainName', 'createdAt'] } } },
};
