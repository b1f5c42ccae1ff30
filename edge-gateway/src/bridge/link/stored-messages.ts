import type { IPublishPacket } from 'mqtt-packet';

/** The remote sends what it keeps in one go: after this long without one, in ms, none follows. */
const PAUSE_MS = 5000;
/** Topics that are remembered while it does; beyond them a message counts as one that the remote kept. */
const MAX_TOPICS = 100_000;

/**
 * Tells the retained messages that a remote sends because we subscribed from those that are published just then: both
 * bear the retain flag, as we ask for it. The first message of a topic soon after subscribing is one that was kept.
 */
export class StoredMessages {
	readonly #stored = new WeakSet<IPublishPacket>();
	readonly #topics = new Set<string>();
	#until = 0;

	/** Before subscribing. */
	begin(): void {
		this.#topics.clear();
		this.#until = Number.POSITIVE_INFINITY;
	}

	/** After the remote has answered. @param now monotonic, in ms */
	subscribed(now: number): void {
		if (this.#until === Number.POSITIVE_INFINITY) this.#until = now + PAUSE_MS;
	}

	/** Notes a message as it arrives. @param now monotonic, in ms */
	arrived(packet: IPublishPacket, now: number): void {
		if (now > this.#until) {
			this.#topics.clear();
			return;
		}
		const isFirst = !this.#topics.has(packet.topic);
		if (this.#topics.size < MAX_TOPICS) this.#topics.add(packet.topic);
		if (!packet.retain || !isFirst) return;
		this.#stored.add(packet);
		this.#until = Math.max(this.#until, now + PAUSE_MS);
	}

	has(packet: IPublishPacket): boolean {
		return this.#stored.has(packet);
	}
}
