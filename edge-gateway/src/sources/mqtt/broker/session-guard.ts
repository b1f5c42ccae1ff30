import { TOPICS } from '@crowdvision/contracts';
import type { Client, Subscription } from 'aedes';
import type { SessionStore } from '../sessions/session-store.ts';

const NOTHING = Buffer.alloc(0);

/**
 * A subscription as a session may have it: readings do not wait for who is away or acknowledges nothing, for the log
 * has them, and twice on disk is once too often on an SD card. They go there with QoS 0, though aedes' SUBACK names the
 * QoS that was asked for.
 */
export function lowered(client: Client, subscription: Subscription): Subscription {
	if (!client.clean && subscription.topic.startsWith(`${TOPICS.telemetry}/`)) subscription.qos = 0;
	return subscription;
}

/**
 * Keeps of a session only the subscriptions its client was granted: aedes stores all of a packet when one of them is
 * granted, and gives what waited to who comes back. And of a message of QoS 2 only that it came: it has gone on
 * already.
 */
export function guardSessions(store: SessionStore, isGranted: (client: Client, filter: string) => boolean): void {
	const add = store.addSubscriptions.bind(store);
	store.addSubscriptions = (client, subscriptions) => {
		const kept = subscriptions.filter(({ topic }) => isGranted(client as Client, topic));
		return add(
			client,
			kept.map((one) => lowered(client as Client, one)),
		);
	};
	const receive = store.incomingStorePacket.bind(store);
	store.incomingStorePacket = (client, packet) => receive(client, { ...packet, payload: NOTHING });
}
