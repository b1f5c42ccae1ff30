import type { Alert, DeliveryChannel, RetainedAccount } from '@crowdvision/contracts';
import type { Reason } from '../recipients/row.ts';

/** A message to send. */
export interface Delivery {
	/** The key of its row: the same at every attempt. */
	key: string;
	/** In the state that the message is about. */
	alert: Alert;
	/** The account, `account/device`, or the id of the webhook. */
	recipient: string;
	domainName: string;
	/** Of a message to a person. */
	account?: RetainedAccount & { id: string };
	/** Name of the person who acknowledged. */
	by?: string;
}

/** What became of one attempt. */
export type Outcome =
	| { is: 'delivered' }
	/** To be tried again, not before `afterMs`. */
	| { is: 'later'; detail: string; afterMs?: number }
	/** Trying again would change nothing. */
	| { is: 'failed'; reason: Reason }
	| { is: 'suppressed'; reason: Reason };

/** One way to reach recipients. `channel.conformance.ts` says what every channel keeps to. */
export interface Channel {
	readonly name: DeliveryChannel;
	/**
	 * Sends a message once. Everything that goes wrong is an outcome; it rejects only where the signal aborted or the
	 * store is unavailable.
	 */
	send(delivery: Delivery, signal: AbortSignal): Promise<Outcome>;
}

const EXCERPT = 200;
/** The longest pause that a provider may ask for. */
const LONGEST_PAUSE_MS = 3600_000;

/** What an HTTP answer means for the message that it answers. */
export function outcomeOfAnswer(answer: {
	status: number;
	headers: { 'retry-after'?: string | undefined };
	text: string;
}): Outcome {
	const { status, headers, text } = answer;
	if (status >= 200 && status < 300) return { is: 'delivered' };
	const said = text.replace(/\s+/g, ' ').trim().slice(0, EXCERPT);
	const detail = said === '' ? `status ${status}` : `status ${status}: ${said}`;
	// A target that is away, too busy or not set up yet may take it later; so may one whose answer is a redirect.
	const later = status < 400 || status >= 500 || [401, 403, 404, 408, 409, 410, 423, 425, 429].includes(status);
	if (!later) return { is: 'failed', reason: { code: 'refused', detail } };
	const seconds = Number(headers['retry-after']);
	return {
		is: 'later',
		detail,
		...(seconds > 0 && { afterMs: Math.min(seconds * 1000, LONGEST_PAUSE_MS) }),
	};
}
