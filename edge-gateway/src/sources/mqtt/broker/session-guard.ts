import { TOPICS } from '@crowdvision/contracts';
import type { Client, Subscription } from 'aedes';
import type { SessionStore } from '../sessions/session-store.ts';

const EMPTY = Buffer.alloc(0);

/**
 * Lowers a session's subscription to telemetry to QoS 0, so that readings never wait in a session: the log has them
 * already, and an SD card should not store them twice. aedes' SUBACK still names the requested QoS.
 */
export function lowerQosOfTelemetry(client: Client, subscription: Subscription): Subscription {
	if (!client.clean && subscription.topic.startsWith(`${TOPICS.telemetry}/`)) subscription.qos = 0;
	return subscription;
}

/**
 * Limits what aedes stores in a session. Of the subscriptions in one packet, only the granted ones: aedes would store
 * all of them if one is granted, and deliver their messages when the client returns. Of a received message of QoS 2,
 * only its identifier: the message itself has been handled already.
 */
export function guardSessions(store: SessionStore, isGranted: (client: Client, filter: string) => boolean): void {
	const add = store.addSubscriptions.bind(store);
	store.addSubscriptions = (client, subscriptions) => {
		const granted = subscriptions.filter(({ topic }) => isGranted(client as Client, topic));
		return add(
			client,
			granted.map((one) => lowerQosOfTelemetry(client as Client, one)),
		);
	};
	const receive = store.incomingStorePacket.bind(store);
	store.incomingStorePacket = (client, packet) => receive(client, { ...packet, payload: EMPTY });
}
