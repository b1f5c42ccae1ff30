import type { QoS } from 'mqtt-packet';
import { matchesFilter } from '../../../topics/topic-filter.ts';

/** A message on the local broker. */
export interface LocalMessage {
	topic: string;
	payload: Buffer;
	qos: QoS;
	retain: boolean;
	/**
	 * Who brought it, where it was no client of this broker: the bridge it came by, so that it is not sent back there.
	 */
	origin?: string;
	/** Gateways it came through, where the bridge it came by could tell. */
	path?: readonly string[];
}

/**
 * Called for each message before it is acknowledged; the promise, where there is one, holds the acknowledgement back.
 */
export type Tap = (message: LocalMessage) => Promise<void> | undefined;

/**
 * The local broker as the other parts of the gateway use it: they publish on it and listen in, and know nothing of its
 * clients.
 */
export class LocalBroker {
	readonly #toClients: (message: LocalMessage) => Promise<void>;
	readonly #taps = new Set<{ filter: string; take: Tap }>();

	/** `toClients` resolves when the broker has the message for everybody who subscribed. */
	constructor(toClients: (message: LocalMessage) => Promise<void>) {
		this.#toClients = toClients;
	}

	/**
	 * Resolves when every tap and the broker have it.
	 * @throws what a tap throws; then the clients did not get it.
	 */
	async publish(message: LocalMessage): Promise<void> {
		await this.offer(message);
		await this.#toClients(message);
	}

	/** Hears every message whose topic matches an MQTT filter, from clients and from `publish`. Returns how to end it. */
	tap(filter: string, take: Tap): () => void {
		const tap = { filter, take };
		this.#taps.add(tap);
		return () => void this.#taps.delete(tap);
	}

	/** Whether anybody listens in on this topic. */
	isTapped(topic: string): boolean {
		for (const { filter } of this.#taps) if (matchesFilter(filter, topic)) return true;
		return false;
	}

	/** Gives a client's message to the taps. Undefined when nothing has to be waited for. */
	offer(message: LocalMessage): Promise<unknown> | undefined {
		if (this.#taps.size === 0) return undefined;
		const waits: Promise<void>[] = [];
		for (const { filter, take } of this.#taps) {
			const taken = matchesFilter(filter, message.topic) ? take(message) : undefined;
			if (taken) waits.push(taken);
		}
		return waits.length > 0 ? Promise.all(waits) : undefined;
	}
}
