import type { Language } from '@crowdvision/contracts';
import { type Alert, ROLES, weightIn } from '@crowdvision/contracts';
import { type OutboundClient, OutboundRefusal } from '@crowdvision/service-kit';
import { type Channel, type Delivery, type Outcome, outcomeOfAnswer } from '../../delivery/channel.ts';
import type { SubscriptionDocument } from '../../recipients/recipient-documents.ts';
import type { Messages } from '../../texts/messages.ts';
import { encryptFor, vapidHeader } from './encryption.ts';
import type { PushKeys } from './push-keys.ts';
import type { Subscriptions } from './subscriptions.ts';

/** How long a push service keeps a message for a device that is off, in seconds. */
const TTL_SECONDS = 24 * 3600;

/** What the service worker gets. */
export interface PushPayload {
	alertId: string;
	state: Alert['state'];
	severity: Alert['severity'];
	title: string;
	body: string;
	/** Messages about the same alert replace each other on a device. */
	tag: string;
	url: string;
	/** To acknowledge by POST, without a session. */
	act?: string;
}

export interface PushChannelParts {
	subscriptions: Subscriptions;
	outbound: Pick<OutboundClient, 'request'>;
	messages: Messages;
	keys: PushKeys;
	/** A `mailto:` or https URL at which push services find whoever runs this. */
	subject: string;
	/** Epoch ms. */
	now: () => number;
}

/** Sends alerts to browsers (RFC 8030), encrypted for the device (RFC 8291), signed by our key (RFC 8292). */
export class PushChannel implements Channel {
	readonly name = 'push';
	readonly #parts: PushChannelParts;

	constructor(parts: PushChannelParts) {
		this.#parts = parts;
	}

	async send({ key, alert, recipient, account, by }: Delivery, signal: AbortSignal): Promise<Outcome> {
		const id = recipient.slice(recipient.indexOf('/') + 1);
		const subscription = await this.#parts.subscriptions.find(id);
		if (!subscription || !account) return { is: 'suppressed', reason: { code: 'channel_removed' } };
		const mayAct = weightIn(account.memberships, alert.domainNames) >= ROLES.business_staff;
		return this.push(id, subscription, { key, alert, language: account.language ?? 'en', mayAct, by }, signal);
	}

	/** Sends to one device; removes it where its push service says that it is gone. */
	async push(
		id: string,
		subscription: SubscriptionDocument,
		message: { key: string; alert: Alert; language: Language; mayAct: boolean; by?: string | undefined },
		signal: AbortSignal,
	): Promise<Outcome> {
		const { key, alert, language, mayAct, by } = message;
		const { accountId, endpoint, site } = subscription;
		const { now, subject } = this.#parts;
		const { text, url, act } = this.#parts.messages.of(alert, { language, by, site, accountId });
		const payload: PushPayload = {
			...{ alertId: alert.id, state: alert.state, severity: alert.severity, ...text, tag: alert.id, url },
			...(mayAct && act !== undefined && { act }),
		};
		try {
			const answer = await this.#parts.outbound.request(endpoint, {
				headers: {
					authorization: vapidHeader(endpoint, subject, this.#parts.keys, now()),
					'content-encoding': 'aes128gcm',
					'content-type': 'application/octet-stream',
					ttl: String(TTL_SECONDS),
					topic: key,
					urgency: alert.severity === 'info' ? 'normal' : 'high',
				},
				body: encryptFor(subscription.keys, JSON.stringify(payload)),
				signal,
			});
			if (answer.status !== 404 && answer.status !== 410) return outcomeOfAnswer(answer);
			await this.#parts.subscriptions.remove(id);
			return { is: 'suppressed', reason: { code: 'channel_removed', detail: `status ${answer.status}` } };
		} catch (error) {
			if (signal.aborted) throw error;
			const detail = error instanceof Error ? error.message : String(error);
			return { is: 'later', detail: error instanceof OutboundRefusal ? `the endpoint ${detail}` : detail };
		}
	}
}
