/** The embedded broker as bridges and other parts of the gateway use it. */
import type { QoS } from 'mqtt-packet';
import { matchesFilter } from '../../../topics/topic-filter.ts';

/** A message on the local broker. */
export interface LocalMessage {
	topic: string;
	payload: Buffer;
	qos: QoS;
	retain: boolean;
	/** The bridge that the message came from, so that it is not sent back; undefined for messages of clients. */
	origin?: string;
	/** The device that a retained message counts for; the gateway's own counts for none. */
	device?: string;
	/** Ids of the gateways the message came through, as far as the bridge knows. */
	path?: readonly string[];
}

/** Called with each message before it is acknowledged. The acknowledgement waits for the promise, if there is one. */
export type Tap = (message: LocalMessage) => Promise<void> | undefined;

/** Resolves when the broker has the message for every client that subscribed. */
export type ToClients = (message: LocalMessage) => Promise<void>;

/**
 * The local broker as other parts of the gateway see it: they publish messages and tap into those of others, without
 * knowing about clients and connections.
 */
export class LocalBroker {
	#toClients: ToClients | undefined;
	readonly #taps = new Set<{ filter: string; take: Tap; wants: (topic: string) => boolean }>();
	#revision = 0;

	/** Has messages sent to the broker's clients from now on; before, only taps get them. */
	connect(toClients: ToClients): void {
		this.#toClients = toClients;
	}

	/**
	 * Publishes a message to the taps and then to the clients; resolves when all of them have it.
	 * @throws what a tap throws; the clients then did not get the message
	 */
	async publish(message: LocalMessage): Promise<void> {
		await this.offer(message);
		await this.#toClients?.(message);
	}

	/**
	 * Calls `take` with every message whose topic matches an MQTT filter, whether a client or `publish` sent it. Returns
	 * a function that ends the tap.
	 * @param wants which of these topics the tap is for, the same for as long as it lasts; default: all
	 */
	tap(filter: string, take: Tap, wants: (topic: string) => boolean = () => true): () => void {
		const tap = { filter, take, wants };
		this.#taps.add(tap);
		this.#revision++;
		return () => {
			this.#taps.delete(tap);
			this.#revision++;
		};
	}

	/** Rises with every change of what `isTapped` returns. */
	get revision(): number {
		return this.#revision;
	}

	/** Whether there is a tap on this topic. */
	isTapped(topic: string): boolean {
		for (const { filter, wants } of this.#taps) if (matchesFilter(filter, topic) && wants(topic)) return true;
		return false;
	}

	/** Gives a client's message to the taps. Undefined when there is nothing to wait for. */
	offer(message: LocalMessage): Promise<unknown> | undefined {
		if (this.#taps.size === 0) return undefined;
		const pending: Promise<void>[] = [];
		for (const { filter, take } of this.#taps) {
			const taken = matchesFilter(filter, message.topic) ? take(message) : undefined;
			if (taken) pending.push(taken);
		}
		return pending.length > 0 ? Promise.all(pending) : undefined;
	}
}
