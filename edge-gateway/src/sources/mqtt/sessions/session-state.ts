import type { Subscription } from 'aedes';
import { matchesFilter } from '../../../topics/topic-filter.ts';
import { ownBytes } from '../packets/own-bytes.ts';
import type { Change, KeptPacket } from './change.ts';

/** What is kept for a client beyond its connection. */
interface Session {
	subscriptions: Map<string, Subscription>;
	/** Messages and releases it has not acknowledged, oldest first. */
	outgoing: KeptPacket[];
	outgoingBytes: number;
	/** Messages of QoS 2 it has not released, by identifier. */
	incoming: Map<number, KeptPacket>;
	/** Epoch ms; undefined while it is connected. */
	awaySince: number | undefined;
}

/** A subscription of a session, as the broker asks for it. */
export type SessionSubscription = Subscription & { clientId: string };

/** Sessions and retained messages in memory: a list of changes, applied. No I/O, no clock. */
export class SessionState {
	readonly retained = new Map<string, KeptPacket>();
	readonly #sessions = new Map<string, Session>();
	/** Sessions with QoS 1 or 2, by filter: the filters of devices are topics, mostly. */
	readonly #byFilter = new Map<string, Map<string, SessionSubscription>>();
	readonly #wild = new Set<string>();
	retainedBytes = 0;
	outgoingBytes = 0;
	/** Waiting messages of all sessions. */
	outgoingMessages = 0;

	get sessions(): ReadonlyMap<string, Readonly<Session>> {
		return this.#sessions;
	}

	/** Returns the waiting message that a `clear` removed. */
	apply(change: Change): KeptPacket | undefined {
		switch (change.do) {
			case 'retain':
				this.#retain(kept(change.packet));
				break;
			case 'subscribe':
				for (const sub of change.subs) this.#subscribe(change.client, sub);
				break;
			case 'unsubscribe':
				for (const topic of change.topics) this.#unsubscribe(change.client, topic);
				break;
			case 'enqueue':
				this.#enqueue(change.clients, kept(change.packet));
				break;
			case 'update':
				this.#update(change.client, kept(change.packet));
				break;
			case 'clear':
				return this.#clear(change.client, change.packet);
			case 'receive':
				this.#open(change.client).incoming.set(change.packet.messageId!, kept(change.packet));
				break;
			case 'release':
				this.#sessions.get(change.client)?.incoming.delete(change.messageId);
				break;
			case 'release-all':
				this.#sessions.get(change.client)?.incoming.clear();
				break;
			case 'here':
				this.#open(change.client).awaySince = undefined;
				break;
			case 'away':
				this.#open(change.client).awaySince = change.at;
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

	/** Changes that lead from nothing to this state. */
	*changes(): Generator<Change> {
		for (const packet of this.retained.values()) yield { do: 'retain', packet };
		for (const [client, { subscriptions, outgoing, incoming, awaySince }] of this.#sessions) {
			yield awaySince === undefined ? { do: 'here', client } : { do: 'away', client, at: awaySince };
			if (subscriptions.size > 0) yield { do: 'subscribe', client, subs: [...subscriptions.values()] };
			for (const packet of outgoing) yield { do: 'enqueue', clients: [client], packet };
			for (const packet of incoming.values()) yield { do: 'receive', client, packet };
		}
	}

	/** Subscriptions with QoS 1 or 2 that match a topic; of a client with several, each. */
	matching(topic: string): SessionSubscription[] {
		const found: SessionSubscription[] = [];
		for (const filter of this.#wild)
			if (matchesFilter(filter, topic)) found.push(...this.#byFilter.get(filter)!.values());
		found.push(...(this.#byFilter.get(topic)?.values() ?? []));
		return found;
	}

	/** Waiting messages of a client that were given an identifier: what it may acknowledge. */
	isUnacknowledged(client: string, messageId: number): boolean {
		return this.#sessions.get(client)?.outgoing.some((packet) => packet.messageId === messageId) ?? false;
	}

	#open(client: string): Session {
		let session = this.#sessions.get(client);
		if (!session) {
			session = { subscriptions: new Map(), outgoing: [], outgoingBytes: 0, incoming: new Map(), awaySince: undefined };
			this.#sessions.set(client, session);
		}
		return session;
	}

	#retain(packet: KeptPacket): void {
		this.retainedBytes -= sizeOf(this.retained.get(packet.topic));
		if (packet.payload.length === 0) this.retained.delete(packet.topic);
		else {
			this.retained.set(packet.topic, packet);
			this.retainedBytes += sizeOf(packet);
		}
	}

	#subscribe(client: string, sub: Subscription): void {
		this.#unindex(client, sub.topic);
		this.#open(client).subscriptions.set(sub.topic, sub);
		if (sub.qos === 0) return;
		let clients = this.#byFilter.get(sub.topic);
		if (!clients) {
			clients = new Map();
			this.#byFilter.set(sub.topic, clients);
			if (/[+#]/.test(sub.topic)) this.#wild.add(sub.topic);
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
		this.#wild.delete(topic);
	}

	#enqueue(clients: string[], packet: KeptPacket): void {
		for (const client of clients) {
			const session = this.#open(client);
			session.outgoing.push({ ...packet });
			this.outgoingMessages++;
			this.#grow(session, sizeOf(packet));
		}
	}

	#grow(session: Session, bytes: number): void {
		session.outgoingBytes += bytes;
		this.outgoingBytes += bytes;
	}

	/** @throws Error where no such message waits. */
	#update(client: string, packet: KeptPacket): void {
		const session = this.#sessions.get(client);
		const { outgoing = [] } = session ?? {};
		for (const [i, waiting] of outgoing.entries()) {
			if (packet.brokerId !== undefined && waiting.brokerId === packet.brokerId) {
				// Identifiers come again; the broker's own number does not.
				if (waiting.brokerCounter !== packet.brokerCounter) continue;
				waiting.messageId = packet.messageId;
				return;
			}
			if (waiting.messageId !== packet.messageId) continue;
			outgoing[i] = packet;
			this.#grow(session!, sizeOf(packet) - sizeOf(waiting));
			return;
		}
		throw new Error('no such packet');
	}

	#clear(
		client: string,
		{ messageId, brokerId, brokerCounter }: Extract<Change, { do: 'clear' }>['packet'],
	): KeptPacket | undefined {
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
		this.#grow(session, -sizeOf(cleared));
		return cleared;
	}

	#end(client: string): void {
		const session = this.#sessions.get(client);
		if (!session) return;
		for (const topic of session.subscriptions.keys()) this.#unindex(client, topic);
		this.#grow(session, -session.outgoingBytes);
		this.outgoingMessages -= session.outgoing.length;
		this.#sessions.delete(client);
	}
}

/** Topic and payload, in bytes or so: what a bound is counted in. */
export function sizeOf(packet: Partial<KeptPacket> | undefined): number {
	return packet ? (packet.topic?.length ?? 0) + (packet.payload?.length ?? 0) : 0;
}

/** A packet as it is kept: what it came in may go. */
export function kept<P extends Partial<KeptPacket>>(packet: P): P {
	const { payload } = packet;
	return Buffer.isBuffer(payload) ? { ...packet, payload: ownBytes(payload) } : packet;
}
