import { MAX_HOPS } from './loop-probe.ts';
import { messageKey } from './message-key.ts';

const MAX_MESSAGES = 20_000;
const FORGET_AFTER_MS = 60_000;

/**
 * The messages that the bridges have sent of late. When one of them comes in by another bridge, a loop may have been
 * closed since the last probe. It is also the last defence where no probe can find a loop: a message that has come back
 * more than sixteen times is dropped, until it has not been seen for a minute.
 */
export class RecentSends {
	readonly #messages = new Map<string, { links: string[]; at: number; returns: number }>();

	/** Records that a bridge sent a message. `now` is monotonic, in ms, here and below. */
	sent(link: string, topic: string, payload: Buffer, now: number): void {
		const key = messageKey(topic, payload);
		const last = this.#messages.get(key);
		this.#messages.delete(key);
		const recent = last && last.at > now - FORGET_AFTER_MS ? last : { links: [] as string[], returns: 0 };
		const links = recent.links.includes(link) ? recent.links : [...recent.links, link];
		this.#messages.set(key, { links, at: now, returns: recent.returns });
		if (this.#messages.size > MAX_MESSAGES)
			for (const oldest of this.#messages.keys()) return void this.#messages.delete(oldest);
	}

	/** The other bridges that have sent the same message. */
	sentElsewhere(link: string, topic: string, payload: Buffer, now: number): string[] {
		const message = this.#messages.get(messageKey(topic, payload));
		return message && message.at > now - FORGET_AFTER_MS ? message.links.filter((one) => one !== link) : [];
	}

	/** Counts that a message came back. True when it has done so too often. */
	returnsTooOften(topic: string, payload: Buffer, now: number): boolean {
		const message = this.#messages.get(messageKey(topic, payload));
		if (!message) return false;
		message.at = now;
		return ++message.returns > MAX_HOPS;
	}
}
