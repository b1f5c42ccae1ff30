/** The persistence of the embedded broker: sessions and retained messages that survive a crash. */
import { mkdirSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { CommitWorker } from '@crowdvision/log';
import type { Logger } from '@crowdvision/service-kit';
import type { Aedes, Client, Subscription } from 'aedes';
import { matchesFilter } from '../../../topics/topic-filter.ts';
import type { StoredPacket } from './change.ts';
import { MESSAGE_COST, SESSION_BOUNDS, type SessionBounds } from './session-bounds.ts';
import { SessionJournal } from './session-journal.ts';
import { type SessionState, type SessionSubscription, sizeOf, withOwnPayload } from './session-state.ts';

type ClientId = Pick<Client, 'id'> & { clean?: boolean };
type Will = StoredPacket & { clientId?: string };

const EMPTY = Buffer.alloc(0);
/** A disconnection before this time was recorded while the clock was not set yet. */
const CLOCK_IS_SET_AFTER = Date.UTC(2020, 0);

/** Retained messages that are attributed to a device and not stored yet; a message that never comes leaves one. */
const MAX_ATTRIBUTED = 10_000;

/**
 * The persistence of aedes, as the package aedes-persistence specifies it, on disk: retained messages, and for each
 * session its subscriptions, the messages the client has not acknowledged, and the messages of QoS 2 it has not
 * released. Each promise resolves when the change would survive a kill -9. Clean sessions and last wills are kept in
 * memory only.
 *
 * A message beyond a bound is not stored for the session (or not retained) and is counted. Stored messages stay, in
 * order.
 */
export class SessionStore {
	/** Messages that were not stored because of a bound. */
	dropped = 0;
	/** Sessions that ended because their client was away for too long. */
	expired = 0;
	broker: Aedes | undefined;
	readonly #journal: SessionJournal;
	readonly #state: SessionState;
	readonly #bounds: SessionBounds;
	readonly #logger: Logger;
	/** Unreleased messages of QoS 2 from clients with clean sessions, by client and packet identifier. */
	readonly #cleanIncoming = new Map<string, Map<number, StoredPacket>>();
	/** Devices of retained messages that are about to be stored, by topic. */
	readonly #devices = new Map<string, string>();
	readonly #wills = new Map<string, Will>();
	#hasWarned = false;

	private constructor(journal: SessionJournal, bounds: SessionBounds, logger: Logger) {
		this.#journal = journal;
		this.#state = journal.state;
		this.#bounds = bounds;
		this.#logger = logger;
	}

	/** Opens the store in `dir`, which is created if it does not exist. */
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

	/** Whether a message with this packet identifier, sent on an earlier connection, waits for acknowledgement. */
	isUnacknowledged(client: string, messageId: number): boolean {
		return this.#state.isUnacknowledged(client, messageId);
	}

	/** Whether a message of QoS 2 with this packet identifier was received and not released yet. */
	isUnreleased({ id }: ClientId, messageId: number): boolean {
		return this.#incoming(id, messageId) !== undefined;
	}

	/** Whether a client has a session or may begin one. A client id begins with its device id and a slash. */
	hasRoomFor(client: string): boolean {
		const { sessions } = this.#state;
		if (sessions.has(client)) return true;
		const device = client.slice(0, client.indexOf('/') + 1);
		let ofDevice = 0;
		if (device !== '') for (const other of sessions.keys()) if (other.startsWith(device)) ofDevice++;
		return sessions.size < this.#bounds.sessions && ofDevice < this.#bounds.sessionsPerDevice;
	}

	/** Records that a client with a session connected. */
	async connected(client: string): Promise<void> {
		if (!this.hasRoomFor(client)) return;
		await this.#change({ do: 'here', client });
	}

	/** Records that a client disconnected; `at` is epoch ms. */
	async disconnected(client: string, at: number): Promise<void> {
		if (this.#state.sessions.has(client)) await this.#change({ do: 'away', client, at });
	}

	/** Ends the sessions whose clients have been away for too long. `now` is epoch ms. */
	async expire(now: number, isConnected: (client: string) => boolean): Promise<void> {
		for (const [client, { awaySince }] of [...this.#state.sessions]) {
			if (isConnected(client)) continue;
			// The time of the disconnection is unknown, after a crash, or wrong, because the clock was: it counts from now.
			if (awaySince === undefined || awaySince < CLOCK_IS_SET_AFTER || awaySince > now)
				await this.#change({ do: 'away', client, at: now });
			else if (now - awaySince > this.#bounds.expireAfterMs) {
				this.expired++;
				await this.#change({ do: 'end', client });
			}
		}
	}

	/** Says which device the retained message on a topic is from, which is stored next. */
	attribute(topic: string, device: string): void {
		if (this.#devices.size >= MAX_ATTRIBUTED) this.#devices.clear();
		this.#devices.set(topic, device);
	}

	async storeRetained(packet: StoredPacket): Promise<void> {
		const { retained, retainedPerDevice, retainedBytes, largestMessage } = this.#bounds;
		const device = this.#devices.get(packet.topic);
		this.#devices.delete(packet.topic);
		const size = sizeOf(packet);
		const isNew = !this.#state.retained.has(packet.topic);
		if (packet.payload.length === 0 && isNew) return;
		if (packet.payload.length > 0) {
			const ownsTopic = device === undefined || this.#state.retained.get(packet.topic)?.device === device;
			const isOverShare = !ownsTopic && this.#state.retainedOf(device) >= retainedPerDevice;
			const full =
				isOverShare ||
				(isNew && this.#state.retained.size >= retained) ||
				this.#state.retainedBytes + size > retainedBytes;
			if (full || size > largestMessage) return this.#drop(`a retained message on ${packet.topic}`);
		}
		await this.#change({ do: 'retain', packet: { ...packet, ...(device !== undefined && { device }) } });
	}

	/** Whether a message is retained on a topic. */
	isRetained(topic: string): boolean {
		return this.#state.retained.has(topic);
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

	/** Discards a session because its client begins a clean one (MQTT-3.1.2-6). */
	async cleanSubscriptions({ id }: ClientId): Promise<void> {
		if (this.#state.sessions.has(id)) await this.#change({ do: 'end', client: id });
	}

	async outgoingEnqueue({ clientId }: { clientId: string }, packet: StoredPacket): Promise<void> {
		await this.outgoingEnqueueCombi([{ clientId }], packet);
	}

	async outgoingEnqueueCombi(subs: { clientId: string }[], packet: StoredPacket): Promise<void> {
		// A client with two matching filters gets the message once.
		const clients = [...new Set(subs.map(({ clientId }) => clientId))].filter((client) =>
			this.#hasRoom(client, packet),
		);
		if (clients.length > 0)
			await this.#change({ do: 'enqueue', clients, packet: { ...copyOf(packet), messageId: undefined } });
	}

	/** @throws Error when no such message waits */
	async outgoingUpdate({ id }: ClientId, packet: StoredPacket): Promise<void> {
		await this.#change({ do: 'update', client: id, packet: copyOf(packet) });
	}

	async outgoingClearMessageId(
		{ id }: ClientId,
		{ messageId, brokerId, brokerCounter }: StoredPacket,
	): Promise<StoredPacket | undefined> {
		const change = { do: 'clear', client: id, packet: { messageId, brokerId, brokerCounter } } as const;
		const cleared = this.#state.apply(change);
		if (cleared) await this.#journal.write(change);
		return cleared;
	}

	outgoingStream({ id }: ClientId): Readable {
		return Readable.from([...(this.#state.sessions.get(id)?.outgoing ?? [])]);
	}

	async incomingStorePacket(client: ClientId, packet: StoredPacket): Promise<void> {
		const { id } = client;
		if (client.clean || !this.hasRoomFor(id)) {
			const incoming = this.#cleanIncoming.get(id) ?? new Map<number, StoredPacket>();
			this.#cleanIncoming.set(id, incoming.set(packet.messageId!, withOwnPayload(copyOf(packet))));
		} else await this.#change({ do: 'receive', client: id, packet: copyOf(packet) });
	}

	/** @throws Error when there is no such message */
	async incomingGetPacket({ id }: ClientId, { messageId }: { messageId: number }): Promise<StoredPacket> {
		const packet = this.#incoming(id, messageId);
		if (!packet) throw new Error('no such packet');
		return { ...packet };
	}

	/** @throws Error when there is no such message */
	async incomingDelPacket(client: ClientId, { messageId }: { messageId: number }): Promise<void> {
		await this.incomingGetPacket(client, { messageId });
		if (!this.#cleanIncoming.get(client.id)?.delete(messageId))
			await this.#change({ do: 'release', client: client.id, messageId });
	}

	async cleanIncoming({ id }: ClientId): Promise<void> {
		this.#cleanIncoming.delete(id);
		if (this.#state.sessions.get(id)?.incoming.size) await this.#change({ do: 'release-all', client: id });
	}

	async putWill({ id }: ClientId, packet: Will): Promise<void> {
		packet.brokerId = this.broker!.id;
		packet.clientId = id;
		// Changes the packet itself, because the broker holds it too.
		packet.payload = withOwnPayload(packet).payload;
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

	#incoming(id: string, messageId: number): StoredPacket | undefined {
		return this.#cleanIncoming.get(id)?.get(messageId) ?? this.#state.sessions.get(id)?.incoming.get(messageId);
	}

	/** Applies a change in memory at once; the promise resolves when it is on disk. */
	#change(change: Parameters<SessionState['apply']>[0]): Promise<void> {
		this.#state.apply(change);
		return this.#journal.write(change);
	}

	#hasRoom(client: string, packet: StoredPacket): boolean {
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
		if (!this.#hasWarned)
			this.#logger.warn(
				{ counted: 'gateway_mqtt_not_kept_total' },
				`mqtt: ${what} was not stored because its bound is reached; further ones are only counted`,
			);
		this.#hasWarned = true;
	}
}

/** A copy that the broker does not change later. Of a message, its own fields only, without what the parser added. */
function copyOf(packet: StoredPacket): StoredPacket {
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
	} as StoredPacket;
}
