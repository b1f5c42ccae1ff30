import { createHmac } from 'node:crypto';
import type { Alert } from '@crowdvision/contracts';
import { type OutboundClient, OutboundRefusal } from '@crowdvision/service-kit';
import { type Channel, type Delivery, type Outcome, outcomeOfAnswer } from '../../delivery/channel.ts';
import type { WebhookDocument } from '../../recipients/webhook-document.ts';
import type { Messages } from '../../texts/messages.ts';
import { renderWebhook } from './templates.ts';
import type { Webhooks } from './webhooks.ts';

export interface WebhookChannelParts {
	webhooks: Webhooks;
	outbound: Pick<OutboundClient, 'request'>;
	messages: Messages;
	/** Epoch ms. */
	now: () => number;
}

/** Sends alerts to the webhooks of domains, each as its template says; `standard` as Standard Webhooks 1.0 says. */
export class WebhookChannel implements Channel {
	readonly name = 'webhook';
	readonly #parts: WebhookChannelParts;

	constructor(parts: WebhookChannelParts) {
		this.#parts = parts;
	}

	async send({ key, alert, recipient, by }: Delivery, signal: AbortSignal): Promise<Outcome> {
		const webhook = await this.#parts.webhooks.find(recipient);
		if (!webhook) return { is: 'suppressed', reason: { code: 'channel_removed' } };
		return this.post(webhook, { key, alert, recipient, by }, signal);
	}

	/** Sends to a webhook, whether or not it is one of the store. */
	async post(
		webhook: WebhookDocument,
		{ key, alert, recipient, by }: { key: string; alert: Alert; recipient: string; by?: string | undefined },
		signal: AbortSignal,
	): Promise<Outcome> {
		const { messages, outbound, now } = this.#parts;
		const { url, template, language = 'en' } = webhook;
		const message = messages.of(alert, { language, by, site: webhook.site, webhook: recipient });
		const { headers, body } = renderWebhook(template, url, { key, alert, ...message });
		try {
			const signature = signatureOf(webhook.secret, key, now(), body);
			return outcomeOfAnswer(await outbound.request(url, { headers: { ...headers, ...signature }, body, signal }));
		} catch (error) {
			if (signal.aborted) throw error;
			const detail = error instanceof Error ? error.message : String(error);
			return { is: 'later', detail: error instanceof OutboundRefusal ? `the URL ${detail}` : detail };
		}
	}
}

/** The headers of Standard Webhooks; receivers of other templates may look at the id too. */
function signatureOf(secret: string, key: string, at: number, body: string): Record<string, string> {
	const timestamp = String(Math.floor(at / 1000));
	const signing = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
	const signature = createHmac('sha256', signing).update(`${key}.${timestamp}.${body}`).digest('base64');
	return { 'webhook-id': key, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
