/** Topics and filters as a client names them, and as the broker does. */
import type { AedesPublishPacket, Client } from 'aedes';
import type { QoS } from 'mqtt-packet';
import type { Sender } from '../../../normalize/identify.ts';
import type { Registry } from '../../../registry.ts';
import { TenantTopics } from '../../../topics/tenant-topics.ts';
import type { SessionStore } from '../sessions/session-store.ts';

/** What `ClientTopics` needs. */
export interface ClientTopicsParts {
	registry: Pick<Registry, 'home'>;
	senderOf(client: Client): Sender | undefined;
	/** A client that is no device, and names topics as the broker does. */
	guest: { maySubscribe(sender: Sender, topic: string): boolean };
	sessions: Pick<SessionStore, 'removeSubscriptions'>;
	/** Called when the end of a subscription could not be stored. */
	onError(error: Error): void;
}

/** Translates between the topics of a client and those of the broker: see TenantTopics. */
export class ClientTopics {
	readonly topics: TenantTopics;
	readonly #parts: ClientTopicsParts;

	constructor(parts: ClientTopicsParts) {
		this.#parts = parts;
		this.topics = new TenantTopics(parts.registry);
	}

	/** The broker's filter for one that a client names: a device names its own sensors by their ids. */
	filterOf(client: Client, filter: string): string {
		const { senderOf, guest } = this.#parts;
		const sender = senderOf(client);
		if (!sender || guest.maySubscribe(sender, filter)) return filter;
		return this.topics.toBroker(filter, sender);
	}

	/** Ends the subscriptions whose filters the client names otherwise than the broker. */
	unsubscribe(client: Client, filters: readonly string[]): void {
		const renamed = filters.map((filter) => this.filterOf(client, filter)).filter((one) => !filters.includes(one));
		if (renamed.length === 0) return;
		// Without a packet identifier nothing is acknowledged: that was done for the client's own words.
		client.unsubscribe({ unsubscriptions: renamed } as never, () => undefined);
		const { sessions, onError } = this.#parts;
		if (!client.clean) sessions.removeSubscriptions(client, renamed).catch(onError);
	}

	/** Gives a message on its way to a client the topic that its device knows. The packet is the client's own copy. */
	nameForDevice(client: Client, packet: AedesPublishPacket): void {
		const { senderOf, guest } = this.#parts;
		const sender = senderOf(client);
		if (!sender || guest.maySubscribe(sender, packet.topic)) return;
		const topic = this.topics.toDevice(packet.topic, sender) ?? packet.topic;
		if (topic === packet.topic) return;
		// aedes finds the subscription's QoS by the topic only.
		const { subscriptions } = client as Client & { subscriptions: Record<string, { qos: QoS } | undefined> };
		packet.qos = Math.min(packet.qos, subscriptions[packet.topic]?.qos ?? packet.qos) as QoS;
		packet.topic = topic;
	}
}

/** Whether all subscriptions of a client have QoS 0, so that it gets every message with QoS 0. */
export function hasOnlyQos0(client: Client): boolean {
	// Not in the types of aedes.
	const { subscriptions } = client as Client & { subscriptions?: Record<string, { qos: number }> };
	return Object.values(subscriptions ?? {}).every(({ qos }) => qos === 0);
}
