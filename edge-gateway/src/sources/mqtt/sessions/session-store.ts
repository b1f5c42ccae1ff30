import { mkdirSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { CommitWorker } from '@crowdvision/log';
import type { Logger } from '@crowdvision/service-kit';
import type { Aedes, Client, Subscription } from 'aedes';
import { matchesFilter } from '../../../topics/topic-filter.ts';
import type { KeptPacket } from './change.ts';
import { SessionJournal } from './session-journal.ts';
import { kept, type SessionState, type SessionSubscription, sizeOf } from './session-state.ts';

type ClientId = Pick<Client, 'id'> & { clean?: boolean };
type Will = KeptPacket & { clientId?: string };

/** How much is kept for clients that are away, and for how long. Sizes in bytes, times in ms. */
export interface SessionBounds {
	expireAfterMs: number;
	/** Of one session. */
	messages: number;
	bytes: number;
	/**
	 * Of all sessions, with what a message costs in memory beside its topic and payload; and of all retained messages.
	 */
	totalBytes: number;
	sessions: number;
	/** Of one device. */
	sessionsPerDevice: number;
	retained: number;
	retainedBytes: number;
	largestMessage: number;
}

const MIB = 1024 * 1024;
const EMPTY = Buffer.alloc(0);
/**
 * Memory that a waiting message takes beside its topic and payload, as measured: many small ones must not come to ten
 * times their bound.
 */
export const MESSAGE_COST = 400;
/** Before this no session can have gone away: the clock was not set yet. */
const CLOCK_IS_SET_AFTER = Date.UTC(2020, 0);

export const SESSION_BOUNDS: SessionBounds = {
	expireAfterMs: 7 * 24 * 3600_000,
	messages: 1000,
	bytes: MIB,
	totalBytes: 64 * MIB,
	sessions: 10_000,
	sessionsPerDevice: 32,
	retained: 10_000,
	retainedBytes: 16 * MIB,
	largestMessage: 256 * 1024,
};

/**
 * What aedes keeps of its clients (its persistence, as the package aedes-persistence specifies it), on disk: retained
 * messages, and of sessions their subscriptions, the messages they have not acknowledged, and those of QoS 2 they have
 * not released. Each promise resolves when it would survive a kill -9. Sessions that end with their connection, and
 * last wills, are kept in memory only.
 *
 * Bounded: what goes beyond a bound is not kept for the session (or not retained), and counted. What was kept stays, in
 * order.
 */
export class SessionStore {
	/** Messages that were not kept because of a bound. */
	dropped = 0;
	/** Sessions that ended because their client was away for too long. */
	expired = 0;
	broker: Aedes | undefined;
	readonly #journal: SessionJournal;
	readonly #state: SessionState;
	readonly #bounds: SessionBounds;
	readonly #logger: Logger;
	/** Messages of QoS 2 not yet released, of sessions that end with their connection. */
	readonly #passing = new Map<string, Map<number, KeptPacket>>();
	readonly #wills = new Map<string, Will>();
	#told = false;

	private constructor(journal: SessionJournal, bounds: SessionBounds, logger: Logger) {
		this.#journal = journal;
		this.#state = journal.state;
		this.#bounds = bounds;
		this.#logger = logger;
	}

	static async open(
		dir: string,
		{ worker, logger, bounds = {} }: { worker: CommitWorker; logger: Logger; bounds?: Partial<SessionBounds> },
	): Promise<SessionStore> {
		mkdirSync(dir, { recursive: true, mode: 0o700 });
		return new SessionStore(await SessionJournal.open(dir, worker, logger), { ...SESSION_BOUNDS, ...bounds }, logger);
	}

	get sessions(): number {
		return this.#state.sessions.size;
	}

	get waitingMessages(): number {
		return this.#state.outgoingMessages;
	}

	async setup(broker: Aedes): Promise<void> {
		this.broker = broker;
	}

	/** Whether a client may acknowledge a message of this identifier, sent on an earlier connection. */
	isUnacknowledged(client: string, messageId: number): boolean {
		return this.#state.isUnacknowledged(client, messageId);
	}

	/** Whether a message of QoS 2 is the one that came before and was not released. */
	isUnreleased({ id }: ClientId, messageId: number): boolean {
		return this.#incoming(id, messageId) !== undefined;
	}

	/** Whether a client has a session, or may begin one. What stands before the first slash of its id is its device. */
	hasRoomFor(client: string): boolean {
		const { sessions } = this.#state;
		if (sessions.has(client)) return true;
		const device = client.slice(0, client.indexOf('/') + 1);
		let ofDevice = 0;
		if (device !== '') for (const other of sessions.keys()) if (other.startsWith(device)) ofDevice++;
		return sessions.size < this.#bounds.sessions && ofDevice < this.#bounds.sessionsPerDevice;
	}

	/** A client with a session came. */
	async here(client: string): Promise<void> {
		if (!this.hasRoomFor(client)) return;
		await this.#change({ do: 'here', client });
	}

	/** It went; `at` is epoch ms. */
	async away(client: string, at: number): Promise<void> {
		if (this.#state.sessions.has(client)) await this.#change({ do: 'away', client, at });
	}

	/** Ends the sessions whose clients have been away for too long. `isConnected` tells those that are not. */
	async expire(now: number, isConnected: (client: string) => boolean): Promise<void> {
		for (const [client, { awaySince }] of [...this.#state.sessions]) {
			if (isConnected(client)) continue;
			// Away since before the clock was right, or since a stop that nobody could write down: the time begins now.
			if (awaySince === undefined || awaySince < CLOCK_IS_SET_AFTER || awaySince > now)
				await this.#change({ do: 'away', client, at: now });
			else if (now - awaySince > this.#bounds.expireAfterMs) {
				this.expired++;
				await this.#change({ do: 'end', client });
			}
		}
	}

	async storeRetained(packet: KeptPacket): Promise<void> {
		const { retained, retainedBytes, largestMessage } = this.#bounds;
		const size = sizeOf(packet);
		const isNew = !this.#state.retained.has(packet.topic);
		if (packet.payload.length === 0 && isNew) return;
		if (packet.payload.length > 0) {
			const full = (isNew && this.#state.retained.size >= retained) || this.#state.retainedBytes + size > retainedBytes;
			if (full || size > largestMessage) return this.#drop(`a retained message on ${packet.topic}`);
		}
		await this.#change({ do: 'retain', packet: { ...packet } });
	}

	createRetainedStream(pattern: string): Readable {
		return this.createRetainedStreamCombi([pattern]);
	}

	createRetainedStreamCombi(patterns: string[]): Readable {
		return Readable.from(
			patterns.flatMap((pattern) =>
				[...this.#state.retained.values()].filter(({ topic }) => matchesFilter(pattern, topic)),
			),
		);
	}

	async addSubscriptions({ id }: ClientId, subs: Subscription[]): Promise<void> {
		if (!this.hasRoomFor(id)) throw new Error('too many sessions');
		await this.#change({ do: 'subscribe', client: id, subs: subs.map((sub) => ({ ...sub })) });
	}

	async removeSubscriptions({ id }: ClientId, topics: string[]): Promise<void> {
		if (!this.#state.sessions.has(id)) return;
		await this.#change({ do: 'unsubscribe', client: id, topics });
	}

	async subscriptionsByClient({ id }: ClientId): Promise<Subscription[]> {
		return [...(this.#state.sessions.get(id)?.subscriptions.values() ?? [])].map((sub) => ({ ...sub }));
	}

	async countOffline(): Promise<{ subsCount: number; clientsCount: number }> {
		let subsCount = 0;
		let clientsCount = 0;
		for (const { subscriptions } of this.#state.sessions.values()) {
			if (subscriptions.size > 0) clientsCount++;
			for (const { qos } of subscriptions.values()) if (qos > 0) subsCount++;
		}
		return { subsCount, clientsCount };
	}

	async subscriptionsByTopic(topic: string): Promise<SessionSubscription[]> {
		return this.#state.matching(topic);
	}

	/** A client begins anew: what was kept for it is discarded (MQTT-3.1.2-6). */
	async cleanSubscriptions({ id }: ClientId): Promise<void> {
		if (this.#state.sessions.has(id)) await this.#change({ do: 'end', client: id });
	}

	async outgoingEnqueue({ clientId }: { clientId: string }, packet: KeptPacket): Promise<void> {
		await this.outgoingEnqueueCombi([{ clientId }], packet);
	}

	async outgoingEnqueueCombi(subs: { clientId: string }[], packet: KeptPacket): Promise<void> {
		// Whoever has two filters for it is to get it once.
		const clients = [...new Set(subs.map(({ clientId }) => clientId))].filter((client) =>
			this.#hasRoom(client, packet),
		);
		if (clients.length > 0)
			await this.#change({ do: 'enqueue', clients, packet: { ...copyOf(packet), messageId: undefined } });
	}

	/** @throws Error where no such message waits. */
	async outgoingUpdate({ id }: ClientId, packet: KeptPacket): Promise<void> {
		await this.#change({ do: 'update', client: id, packet: copyOf(packet) });
	}

	async outgoingClearMessageId(
		{ id }: ClientId,
		{ messageId, brokerId, brokerCounter }: KeptPacket,
	): Promise<KeptPacket | undefined> {
		const change = { do: 'clear', client: id, packet: { messageId, brokerId, brokerCounter } } as const;
		const cleared = this.#state.apply(change);
		if (cleared) await this.#journal.write(change);
		return cleared;
	}

	outgoingStream({ id }: ClientId): Readable {
		return Readable.from([...(this.#state.sessions.get(id)?.outgoing ?? [])]);
	}

	async incomingStorePacket(client: ClientId, packet: KeptPacket): Promise<void> {
		const { id } = client;
		if (client.clean || !this.hasRoomFor(id)) {
			const passing = this.#passing.get(id) ?? new Map<number, KeptPacket>();
			this.#passing.set(id, passing.set(packet.messageId!, kept(copyOf(packet))));
		} else await this.#change({ do: 'receive', client: id, packet: copyOf(packet) });
	}

	/** @throws Error where there is none. */
	async incomingGetPacket({ id }: ClientId, { messageId }: { messageId: number }): Promise<KeptPacket> {
		const packet = this.#incoming(id, messageId);
		if (!packet) throw new Error('no such packet');
		return { ...packet };
	}

	/** @throws Error where there is none. */
	async incomingDelPacket(client: ClientId, { messageId }: { messageId: number }): Promise<void> {
		await this.incomingGetPacket(client, { messageId });
		if (!this.#passing.get(client.id)?.delete(messageId))
			await this.#change({ do: 'release', client: client.id, messageId });
	}

	async cleanIncoming({ id }: ClientId): Promise<void> {
		this.#passing.delete(id);
		if (this.#state.sessions.get(id)?.incoming.size) await this.#change({ do: 'release-all', client: id });
	}

	async putWill({ id }: ClientId, packet: Will): Promise<void> {
		packet.brokerId = this.broker!.id;
		packet.clientId = id;
		// The broker holds the packet itself too.
		packet.payload = kept(packet).payload;
		this.#wills.set(id, packet);
	}

	async getWill({ id }: ClientId): Promise<Will | undefined> {
		return this.#wills.get(id);
	}

	async delWill({ id }: ClientId): Promise<Will | undefined> {
		const will = this.#wills.get(id);
		this.#wills.delete(id);
		return will;
	}

	streamWill(brokers: Record<string, unknown> = {}): Readable {
		return Readable.from([...this.#wills.values()].filter(({ brokerId }) => !brokers[brokerId!]));
	}

	getClientList(topic: string): Readable {
		return Readable.from(
			[...this.#state.sessions].filter(([, { subscriptions }]) => subscriptions.has(topic)).map(([client]) => client),
		);
	}

	async destroy(): Promise<void> {
		await this.#journal.close();
	}

	#incoming(id: string, messageId: number): KeptPacket | undefined {
		return this.#passing.get(id)?.get(messageId) ?? this.#state.sessions.get(id)?.incoming.get(messageId);
	}

	/** In memory at once, so that nobody sees it otherwise from here on; on disk when the promise resolves. */
	#change(change: Parameters<SessionState['apply']>[0]): Promise<void> {
		this.#state.apply(change);
		return this.#journal.write(change);
	}

	#hasRoom(client: string, packet: KeptPacket): boolean {
		const { messages, bytes, totalBytes, largestMessage } = this.#bounds;
		const { outgoing = [], outgoingBytes = 0 } = this.#state.sessions.get(client) ?? {};
		const size = sizeOf(packet);
		const total = this.#state.outgoingBytes + this.#state.outgoingMessages * MESSAGE_COST;
		const fits =
			size <= largestMessage &&
			outgoing.length < messages &&
			outgoingBytes + size <= bytes &&
			total + size + MESSAGE_COST <= totalBytes;
		if (!fits) this.#drop(`a message for the session of ${client}`);
		return fits;
	}

	#drop(what: string): void {
		this.dropped++;
		if (!this.#told)
			this.#logger.warn(
				`mqtt: ${what} was not kept, for its bound is reached; more like it are counted in gateway_mqtt_not_kept_total`,
			);
		this.#told = true;
	}
}

/**
 * Plain data, which the broker does not change afterwards. Of a message its own fields only: what the parser left on it
 * is nobody's.
 */
function copyOf(packet: KeptPacket): KeptPacket {
	const { cmd, brokerId, brokerCounter, topic, payload, qos, retain, dup, messageId } = packet;
	if (cmd !== 'publish') return { ...packet };
	return {
		cmd,
		brokerId,
		brokerCounter,
		topic,
		payload: payload ?? EMPTY,
		qos,
		retain: retain ?? false,
		dup: dup ?? false,
		messageId,
	} as KeptPacket;
}
