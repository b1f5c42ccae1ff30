import { randomBytes } from 'node:crypto';
import { CrowdVisionError, type NewWebhookRequest, type WebhookView } from '@crowdvision/contracts';
import { invalid, type OutboundClient, retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Store, Versioned } from '@crowdvision/store';
import type { WebhookDocument } from '../../recipients/webhook-document.ts';

const MAX_WEBHOOKS = 20;
const SECRET_BYTES = 24;

/** The webhooks of domains. */
export class Webhooks {
	readonly #store: Store;
	readonly #webhooks: Collection<WebhookDocument>;
	readonly #outbound: Pick<OutboundClient, 'refusalOf'>;

	constructor(store: Store, outbound: Pick<OutboundClient, 'refusalOf'>) {
		this.#store = store;
		this.#webhooks = store.collection('webhooks');
		this.#outbound = outbound;
	}

	/**
	 * Adds a webhook; its secret is in this answer only.
	 * @throws CrowdVisionError `invalid` for a target that must not be asked; `conflict` beyond 20
	 */
	async add(domainName: string, request: NewWebhookRequest, site: string): Promise<WebhookView & { secret: string }> {
		const reason = await this.#outbound.refusalOf(request.url);
		if (reason !== undefined) throw invalid([{ path: '/url', message: reason }]);
		const id = randomBytes(12).toString('base64url');
		const secret = `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
		const document: WebhookDocument = { ...request, domainName, secret, site, createdAt: Date.now() };
		await retryOnConflict(async () => {
			const present = await this.of(domainName);
			if (present.length >= MAX_WEBHOOKS)
				throw new CrowdVisionError('invalid', `A domain has at most ${MAX_WEBHOOKS} webhooks: remove one first`);
			await this.#store.commit([this.#webhooks.insert(id, document)]);
		});
		return { ...viewOf({ id, value: document }), secret };
	}

	async of(domainName: string): Promise<Versioned<WebhookDocument>[]> {
		return this.#webhooks.find({ where: { domainName }, order: { by: 'createdAt' }, limit: MAX_WEBHOOKS });
	}

	async find(id: string): Promise<WebhookDocument | undefined> {
		return (await this.#webhooks.get(id))?.value;
	}

	/** @throws CrowdVisionError `not_found` */
	async require(domainName: string, id: string): Promise<WebhookDocument> {
		const webhook = await this.find(id);
		if (webhook?.domainName !== domainName) throw new CrowdVisionError('not_found', 'There is no such webhook');
		return webhook;
	}

	/** @throws CrowdVisionError `not_found` */
	async remove(domainName: string, id: string): Promise<void> {
		await this.require(domainName, id);
		await this.#store.commit([this.#webhooks.remove(id)]);
	}
}

/** A webhook without its secret. */
export function viewOf({ id, value }: { id: string; value: WebhookDocument }): WebhookView {
	const { url, template, severities, kinds, language, createdAt } = value;
	return {
		...{ id, url, template },
		...(severities && { severities }),
		...(kinds && { kinds }),
		...(language && { language }),
		createdAt,
	};
}
