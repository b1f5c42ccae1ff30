import type { Subscription } from 'aedes';
import { matchesFilter } from '../../../topics/topic-filter.ts';
import { ownBytes } from '../packets/own-bytes.ts';
import type { Change, StoredPacket } from './change.ts';

/** What outlives a client's connection (MQTT 3.1.1 section 3.1.2.4). */
interface Session {
	subscriptions: Map<string, Subscription>;
	/** PUBLISH and PUBREL packets to the client that it has not acknowledged, oldest first. */
	outgoing: StoredPacket[];
	outgoingBytes: number;
	/** Messages of QoS 2 from the client that it has not released, by packet identifier. */
	incoming: Map<number, StoredPacket>;
	/** When the client disconnected, epoch ms; undefined while it is connected. */
	awaySince: number | undefined;
}

/** A subscription in the form that aedes asks for. */
export type SessionSubscription = Subscription & { clientId: string };

/** The sessions and retained messages in memory: the result of applying changes in order. No I/O, no clock. */
export class SessionState {
	readonly retained = new Map<string, StoredPacket>();
	/** Number of retained messages by device. */
	readonly #retainedOf = new Map<string, number>();
	readonly #sessions = new Map<string, Session>();
	/** Subscriptions with QoS 1 or 2, by filter and client. Most filters of devices are plain topics. */
	readonly #byFilter = new Map<string, Map<string, SessionSubscription>>();
	/** The filters with wildcards among them. */
	readonly #wildcardFilters = new Set<string>();
	retainedBytes = 0;
	outgoingBytes = 0;
	/** Waiting messages of all sessions. */
	outgoingMessages = 0;

	get sessions(): ReadonlyMap<string, Readonly<Session>> {
		return this.#sessions;
	}

	/**
	 * Applies one change. For a `clear`, returns the waiting message that was removed.
	 * @throws Error when an `update` names a message that does not wait
	 */
	apply(change: Change): StoredPacket | undefined {
		switch (change.do) {
			case 'retain':
				this.#retain(withOwnPayload(change.packet));
				break;
			case 'subscribe':
				for (const sub of change.subs) this.#subscribe(change.client, sub);
				break;
			case 'unsubscribe':
				for (const topic of change.topics) this.#unsubscribe(change.client, topic);
				break;
			case 'enqueue':
				this.#enqueue(change.clients, withOwnPayload(change.packet));
				break;
			case 'update':
				this.#update(change.client, withOwnPayload(change.packet));
				break;
			case 'clear':
				return this.#clear(change.client, change.packet);
			case 'receive':
				this.#sessionOf(change.client).incoming.set(change.packet.messageId!, withOwnPayload(change.packet));
				break;
			case 'release':
				this.#sessions.get(change.client)?.incoming.delete(change.messageId);
				break;
			case 'release-all':
				this.#sessions.get(change.client)?.incoming.clear();
				break;
			case 'here':
				this.#sessionOf(change.client).awaySince = undefined;
				break;
			case 'away':
				this.#sessionOf(change.client).awaySince = change.at;
				break;
			case 'end':
				this.#end(change.client);
				break;
			case 'snapshot-begin':
			case 'snapshot-end':
				break;
		}
		return undefined;
	}

	/** Changes that, applied to an empty state, result in this one. */
	*changes(): Generator<Change> {
		for (const packet of this.retained.values()) yield { do: 'retain', packet };
		for (const [client, { subscriptions, outgoing, incoming, awaySince }] of this.#sessions) {
			yield awaySince === undefined ? { do: 'here', client } : { do: 'away', client, at: awaySince };
			if (subscriptions.size > 0) yield { do: 'subscribe', client, subs: [...subscriptions.values()] };
			for (const packet of outgoing) yield { do: 'enqueue', clients: [client], packet };
			for (const packet of incoming.values()) yield { do: 'receive', client, packet };
		}
	}

	/** All subscriptions with QoS 1 or 2 that match a topic; a client may have several. */
	matching(topic: string): SessionSubscription[] {
		const found: SessionSubscription[] = [];
		for (const filter of this.#wildcardFilters)
			if (matchesFilter(filter, topic)) found.push(...this.#byFilter.get(filter)!.values());
		found.push(...(this.#byFilter.get(topic)?.values() ?? []));
		return found;
	}

	/** Whether a message with this packet identifier waits for the client's acknowledgement. */
	isUnacknowledged(client: string, messageId: number): boolean {
		return this.#sessions.get(client)?.outgoing.some((packet) => packet.messageId === messageId) ?? false;
	}

	/** The session of a client, which is created if there is none. */
	#sessionOf(client: string): Session {
		let session = this.#sessions.get(client);
		if (!session) {
			session = { subscriptions: new Map(), outgoing: [], outgoingBytes: 0, incoming: new Map(), awaySince: undefined };
			this.#sessions.set(client, session);
		}
		return session;
	}

	/** Number of retained messages of a device. */
	retainedOf(device: string): number {
		return this.#retainedOf.get(device) ?? 0;
	}

	#countRetained(device: string | undefined, by: 1 | -1): void {
		if (device === undefined) return;
		const count = this.retainedOf(device) + by;
		if (count > 0) this.#retainedOf.set(device, count);
		else this.#retainedOf.delete(device);
	}

	#retain(packet: StoredPacket): void {
		const before = this.retained.get(packet.topic);
		this.retainedBytes -= sizeOf(before);
		this.#countRetained(before?.device, -1);
		if (packet.payload.length === 0) this.retained.delete(packet.topic);
		else {
			this.retained.set(packet.topic, packet);
			this.#countRetained(packet.device, 1);
			this.retainedBytes += sizeOf(packet);
		}
	}

	#subscribe(client: string, sub: Subscription): void {
		this.#unindex(client, sub.topic);
		this.#sessionOf(client).subscriptions.set(sub.topic, sub);
		if (sub.qos === 0) return;
		let clients = this.#byFilter.get(sub.topic);
		if (!clients) {
			clients = new Map();
			this.#byFilter.set(sub.topic, clients);
			if (/[+#]/.test(sub.topic)) this.#wildcardFilters.add(sub.topic);
		}
		clients.set(client, { clientId: client, ...sub });
	}

	#unsubscribe(client: string, topic: string): void {
		this.#unindex(client, topic);
		this.#sessions.get(client)?.subscriptions.delete(topic);
	}

	#unindex(client: string, topic: string): void {
		const clients = this.#byFilter.get(topic);
		clients?.delete(client);
		if (clients?.size !== 0) return;
		this.#byFilter.delete(topic);
		this.#wildcardFilters.delete(topic);
	}

	#enqueue(clients: string[], packet: StoredPacket): void {
		for (const client of clients) {
			const session = this.#sessionOf(client);
			session.outgoing.push({ ...packet });
			this.outgoingMessages++;
			this.#addBytes(session, sizeOf(packet));
		}
	}

	#addBytes(session: Session, bytes: number): void {
		session.outgoingBytes += bytes;
		this.outgoingBytes += bytes;
	}

	/** @throws Error when no such message waits */
	#update(client: string, packet: StoredPacket): void {
		const session = this.#sessions.get(client);
		const { outgoing = [] } = session ?? {};
		for (const [i, waiting] of outgoing.entries()) {
			if (packet.brokerId !== undefined && waiting.brokerId === packet.brokerId) {
				// Packet identifiers are used again; the broker's counter is not.
				if (waiting.brokerCounter !== packet.brokerCounter) continue;
				waiting.messageId = packet.messageId;
				return;
			}
			if (waiting.messageId !== packet.messageId) continue;
			outgoing[i] = packet;
			this.#addBytes(session!, sizeOf(packet) - sizeOf(waiting));
			return;
		}
		throw new Error('no such packet');
	}

	#clear(
		client: string,
		{ messageId, brokerId, brokerCounter }: Extract<Change, { do: 'clear' }>['packet'],
	): StoredPacket | undefined {
		const session = this.#sessions.get(client);
		if (!session) return undefined;
		const at = session.outgoing.findIndex((waiting) =>
			messageId === undefined
				? waiting.brokerId === brokerId && waiting.brokerCounter === brokerCounter
				: waiting.messageId === messageId,
		);
		if (at < 0) return undefined;
		const [cleared] = session.outgoing.splice(at, 1);
		this.outgoingMessages--;
		this.#addBytes(session, -sizeOf(cleared));
		return cleared;
	}

	#end(client: string): void {
		const session = this.#sessions.get(client);
		if (!session) return;
		for (const topic of session.subscriptions.keys()) this.#unindex(client, topic);
		this.#addBytes(session, -session.outgoingBytes);
		this.outgoingMessages -= session.outgoing.length;
		this.#sessions.delete(client);
	}
}

/** The size that counts for bounds: length of the topic in characters, plus the payload in bytes. */
export function sizeOf(packet: Partial<StoredPacket> | undefined): number {
	return packet ? (packet.topic?.length ?? 0) + (packet.payload?.length ?? 0) : 0;
}

/** The packet with its payload in memory of its own, so that the chunk it arrived in can be freed. */
export function withOwnPayload<P extends Partial<StoredPacket>>(packet: P): P {
	const { payload } = packet;
	return Buffer.isBuffer(payload) ? { ...packet, payload: ownBytes(payload) } : packet;
}
