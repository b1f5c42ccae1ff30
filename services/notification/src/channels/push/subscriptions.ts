import { createHash } from 'node:crypto';
import { CrowdVisionError, type SubscriptionRequest, type SubscriptionView } from '@crowdvision/contracts';
import { invalid, type OutboundClient, retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store, Versioned } from '@crowdvision/store';
import type { SubscriptionDocument } from '../../recipients/recipient-documents.ts';

const MAX_SUBSCRIPTIONS = 20;

/** An account and an endpoint have one subscription: whoever else signs in on a device gets one of their own. */
const idOf = (accountId: string, endpoint: string) =>
	createHash('sha256').update(`${accountId}\n${endpoint}`).digest('base64url').slice(0, 22);

/** The devices on which people take push messages. */
export class Subscriptions {
	readonly #store: Store;
	readonly #subscriptions: Collection<SubscriptionDocument>;
	readonly #outbound: Pick<OutboundClient, 'refusalOf'>;

	constructor(store: Store, outbound: Pick<OutboundClient, 'refusalOf'>) {
		this.#store = store;
		this.#subscriptions = store.collection('subscriptions');
		this.#outbound = outbound;
	}

	/**
	 * Adds a device, or renews its keys.
	 * @throws CrowdVisionError `invalid` for an endpoint that must not be asked, and beyond 20 devices
	 */
	async add(
		accountId: string,
		{ endpoint, keys, name }: SubscriptionRequest,
		site: string,
	): Promise<SubscriptionView & { created: boolean }> {
		const reason = await this.#outbound.refusalOf(endpoint);
		if (reason !== undefined) throw invalid([{ path: '/endpoint', message: reason }]);
		const id = idOf(accountId, endpoint);
		return retryOnConflict(async () => {
			const before = await this.#subscriptions.get(id);
			if (!before && (await this.of(accountId)).length >= MAX_SUBSCRIPTIONS)
				throw new CrowdVisionError('invalid', `An account has at most ${MAX_SUBSCRIPTIONS} devices: remove one first`);
			const value: SubscriptionDocument = {
				...{ accountId, endpoint, keys, site, createdAt: before?.value.createdAt ?? Date.now() },
				...(name !== undefined && { name }),
			};
			await this.#store.commit([
				before ? this.#subscriptions.replace(before, value) : this.#subscriptions.insert(id, value),
			]);
			return { ...subscriptionView({ id, value }), created: before === undefined };
		});
	}

	of(accountId: string): Promise<Versioned<SubscriptionDocument>[]> {
		return this.#subscriptions.find({
			...{ where: { accountId }, order: { by: 'createdAt' }, limit: MAX_SUBSCRIPTIONS },
		});
	}

	/** @throws CrowdVisionError `not_found` for one that is not there, or of somebody else */
	async require(accountId: string, id: string): Promise<SubscriptionDocument> {
		const found = await this.find(id);
		if (found?.accountId !== accountId) throw new CrowdVisionError('not_found', 'There is no such device');
		return found;
	}

	async find(id: string): Promise<SubscriptionDocument | undefined> {
		return (await this.#subscriptions.get(id))?.value;
	}

	async remove(id: string): Promise<void> {
		await this.#store.commit([this.#subscriptions.remove(id)]);
	}
}

/** A subscription as its owner sees it, without its keys. */
export function subscriptionView({ id, value }: { id: string; value: SubscriptionDocument }): SubscriptionView {
	const { endpoint, name, createdAt } = value;
	return { id, endpoint, ...(name !== undefined && { name }), createdAt };
}
