import { TOPICS } from '@crowdvision/contracts';
import type { Aedes, Client, PublishPacket, Subscription } from 'aedes';

/** What aedes keeps of a client beyond its connection; its types leave it out. */
interface Persistence {
	addSubscriptions(client: Client, subscriptions: Subscription[]): Promise<unknown>;
	incomingGetPacket(client: Client, packet: PublishPacket): Promise<unknown>;
}

const persistenceOf = (broker: Aedes) => (broker as unknown as { persistence: Persistence }).persistence;

/**
 * A subscription as a session may have it: readings do not wait for who is away or acknowledges nothing, for the log has them and memory would
 * have no bound. They go there with QoS 0, though aedes' SUBACK names the QoS that was asked for.
 */
export function lowered(client: Client, subscription: Subscription): Subscription {
	if (!client.clean && subscription.topic.startsWith(`${TOPICS.telemetry}/`)) subscription.qos = 0;
	return subscription;
}

/**
 * Keeps of a session only the subscriptions its client may have: aedes stores all of a packet when one of them is granted, and gives what waited
 * to who comes back. Call it once the broker listens.
 */
export function guardSessions(broker: Aedes, maySubscribe: (client: Client, filter: string) => boolean): void {
	const persistence = persistenceOf(broker);
	const add = persistence.addSubscriptions.bind(persistence);
	persistence.addSubscriptions = (client, subscriptions) => {
		const kept = subscriptions.filter(({ topic }) => maySubscribe(client, topic));
		return add(
			client,
			kept.map((one) => lowered(client, one)),
		);
	};
}

/** Whether a message of QoS 2 comes again before it was released: then it is the same one (MQTT-4.3.3-2), and is only acknowledged again. */
export function isUnreleased(broker: Aedes, client: Client, packet: PublishPacket): Promise<boolean> {
	return persistenceOf(broker)
		.incomingGetPacket(client, packet)
		.then(
			() => true,
			() => false,
		);
}
