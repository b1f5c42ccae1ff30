/** The MQTT source: the embedded broker that devices connect to. */
import type { EventEmitter } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { Registry as Metrics } from '@crowdvision/service-kit';
import type { AedesPublishPacket, AuthenticateError, Client, PublishPacket } from 'aedes';
import { addMqttChannels, isLateCommand } from '../../../downlink/mqtt-channels.ts';
import type { Take } from '../../../frame.ts';
import { PacedQueue } from '../../../limits/paced-queue.ts';
import type { Sender } from '../../../normalize/identify.ts';
import type { Source } from '../../source.ts';
import type { MqttConnection } from '../connection/connection.ts';
import { MqttListener } from '../connection/listener.ts';
import type { MqttPeer } from '../connection/peer.ts';
import { Pubacks } from '../connection/puback-writer.ts';
import { ClientTopics, hasOnlyQos0 } from './client-topics.ts';
import { IngestBroker } from './ingest-broker.ts';
import type { LocalMessage } from './local-broker.ts';
import { registerMqttMetrics } from './metrics.ts';
import type { MqttParts } from './mqtt-parts.ts';
import { type Done, MqttPublications } from './publications.ts';
import { ReadingLane, type ReadingLaneParts } from './reading-lane.ts';
import { guardSessions, lowerQosOfTelemetry } from './session-guard.ts';
import { SubscriptionLimit } from './subscription-limit.ts';
import { TakeOvers } from './take-overs.ts';
import { maySubscribe, maySubscribeSparkplug } from './topics.ts';

/** CONNACK return code 4: bad user name or password (MQTT 3.1.1 section 3.2.2.3). */
const BAD_CREDENTIALS = 4;
/** CONNACK return code 3: server unavailable. */
const UNAVAILABLE = 3;
const EXPIRE_EVERY_MS = 60_000;

/**
 * The embedded MQTT broker, over TCP, over TLS where it is configured, and over WebSocket at `/mqtt`.
 *
 *   MqttListener ─▶ MqttConnection ─▶ aedes ──────────────────▶ MqttPublications ─▶ intake
 *   accepts, limits   checks packets   sessions, subscriptions   stores readings, sends PUBACKs
 *                          └────────▶ ReadingLane: readings that need no broker ──▶ MqttPublications, or the log
 *
 * aedes goes on with a message only after `authorizePublish` has called back, so readings are made durable there.
 */
export class MqttSource implements Source {
	readonly #parts: MqttParts;
	readonly #broker: IngestBroker;
	readonly #listener: MqttListener;
	readonly #publications: MqttPublications;
	readonly #laneParts: ReadingLaneParts;
	readonly #peers = new WeakMap<Client, MqttPeer>();
	readonly #stopping = new AbortController();
	readonly #filters: SubscriptionLimit;
	readonly #takeOvers = new TakeOvers();
	readonly #names: ClientTopics;
	/** Clients that were refused because their device had too many sessions. */
	#sessionsRefused = 0;
	/** Messages of QoS 0 that were not sent to clients that are behind with reading. */
	#withheld = 0;
	#expiring: NodeJS.Timeout | undefined;

	constructor(parts: MqttParts) {
		const { devices, availability, registry, refuse, senderLimits, limits } = parts;
		this.#parts = parts;
		const senderOf = (client: Client) => this.#peers.get(client)?.sender;
		const onError = (error: Error) => this.#logUnrecorded(error);
		this.#names = new ClientTopics({ ...parts, senderOf, onError });
		this.#filters = new SubscriptionLimit(() => limits.filtersPerDevice);
		this.#broker = new IngestBroker({
			persistence: parts.sessions,
			connectTimeout: limits.connectTimeoutMs,
			authenticate: (client, username, password, done) => this.#authenticate(client, username, password, done),
			authorizePublish: (client, packet, done) => this.#authorizePublish(client, packet, done),
			authorizeSubscribe: (client, subscription, done) => {
				// aedes goes on with the same object: from here on the filter is the broker's.
				subscription.topic = this.#names.filterOf(client, subscription.topic);
				done(null, this.#grant(client, subscription.topic) ? lowerQosOfTelemetry(client, subscription) : null);
			},
			authorizeForward: (client, packet) => (this.#mayForward(client, packet) ? packet : null),
		});
		addMqttChannels(this.#broker, parts.channels, this.#names.topics, senderOf);
		guardSessions(parts.sessions, (client, filter) => this.#isGranted(client, filter));
		this.#broker.on('unsubscribe', (filters, client) => {
			const sender = this.#peers.get(client)?.sender;
			if (sender) this.#filters.unsubscribe(sender.id, client, filters);
			this.#names.unsubscribe(client, filters);
		});
		(this.#broker as EventEmitter).on('error', (error: Error) =>
			parts.logger.error({ err: error.message }, 'mqtt: an operation of the broker failed'),
		);
		this.#broker.on('clientReady', (client) => this.#onReady(client));
		this.#broker.on('clientDisconnect', (client) => this.#onDisconnect(client));
		this.#listener = new MqttListener({ ...parts, onConnection: (connection) => this.#serve(connection) });
		parts.local.connect((message) => this.#toClients(message));
		this.#publications = new MqttPublications({
			broker: this.#broker,
			local: parts.local,
			devices,
			availability,
			registry,
			topics: this.#names.topics,
			decoders: parts.decoders,
			refuse,
			ignore: parts.ignore,
			answered: (from, answer) => parts.commands.answered(from, answer),
			guestMayPublish: (sender, topic) => parts.guest.mayPublish(sender, topic),
			onPaced: () => senderLimits.count('mqtt'),
			retainedBy: (topic, device) => parts.sessions.attribute(topic, device),
			stopping: this.#stopping.signal,
		});
		const { local, shapes } = parts;
		const counts = { shaped: 0, total: 0 };
		this.#laneParts = { broker: this.#broker, local, shapes, devices, publications: this.#publications, counts };
	}

	/** The port of MQTT over TCP, once started. */
	get port(): number {
		return this.#listener.port;
	}

	/** The port of MQTT over TLS, once started with TLS. */
	get tlsPort(): number | undefined {
		return this.#listener.tlsPort;
	}

	/** Serves the path `/mqtt` of an HTTP server that other parts share. */
	attach(server: HttpServer): void {
		this.#listener.attach(server);
	}

	async start(take: Take): Promise<void> {
		this.#publications.takeWith(take);
		await this.#broker.listen();
		this.#expiring = setInterval(() => this.#expire(), EXPIRE_EVERY_MS).unref();
		await this.#listener.listen();
	}

	async stop(): Promise<void> {
		this.#stopping.abort();
		clearInterval(this.#expiring);
		this.#publications.takeWith(undefined);
		const closed = this.#listener.close();
		await new Promise<void>((resolve) => this.#broker.close(() => resolve()));
		this.#listener.endConnections();
		await closed;
	}

	trouble(): string | undefined {
		return this.#listener.listening ? undefined : 'MQTT: not listening';
	}

	register(metrics: Metrics): void {
		registerMqttMetrics(metrics, this.#listener, this.#parts.sessions, {
			withheld: () => this.#withheld,
			overBound: () => this.#filters.refused + this.#sessionsRefused,
			takeOvers: () => this.#takeOvers.total,
			lane: this.#laneParts.counts,
		});
	}

	#serve(connection: MqttConnection): void {
		const client = this.#broker.handle(connection.stream);
		connection.isUnacknowledged = (packetId) => this.#parts.sessions.isUnacknowledged(client.id, packetId);
		this.#peers.set(client, {
			...{ connection, pubacks: new Pubacks(connection) },
			...{ sender: undefined, paced: undefined, readings: undefined },
		});
	}

	#onReady(client: Client): void {
		const peer = this.#peers.get(client);
		const sender = peer?.sender;
		if (sender) {
			const { connection } = peer;
			const lane = new ReadingLane(this.#laneParts, client, peer, sender);
			peer.readings = lane;
			connection.lane.open(lane, connection.keepAlive);
			const { devices } = this.#parts;
			devices.connected(sender.id, sender.domainName, 'mqtt');
			const trouble = this.#takeOvers.trouble(client.id, this.#parts.now());
			if (trouble) devices.setTrouble(sender.id, sender.domainName, 'mqtt', trouble);
		}
		if (!client.clean) this.#parts.sessions.connected(client.id).catch((error: Error) => this.#logUnrecorded(error));
	}

	/** Notes that a client which is connected connects again: aedes then ends its first connection. */
	#noteTakeOver(id: string, to: string): void {
		const before = this.#clients[id];
		const from = before && !before.closed ? this.#peers.get(before)?.connection.address : undefined;
		if (from !== undefined) this.#takeOvers.note(id, { at: this.#parts.now(), from, to });
	}

	#onDisconnect(client: Client): void {
		const peer = this.#peers.get(client);
		const sender = peer?.sender;
		peer?.readings?.close();
		if (sender) {
			this.#parts.devices.disconnected(sender.id, 'mqtt');
			this.#filters.remove(sender.id, client);
		}
		if (!client.clean)
			this.#parts.sessions
				.disconnected(client.id, this.#parts.now())
				.catch((error: Error) => this.#logUnrecorded(error));
	}

	get #clients(): Record<string, Client> {
		return (this.#broker as IngestBroker & { clients: Record<string, Client> }).clients;
	}

	#expire(): void {
		const clients = this.#clients;
		for (const [id, trouble] of this.#takeOvers.check(this.#parts.now())) {
			const sender = clients[id] && this.#peers.get(clients[id])?.sender;
			if (sender && !trouble) this.#parts.devices.setTrouble(sender.id, sender.domainName, 'mqtt', undefined);
		}
		this.#parts.sessions
			.expire(this.#parts.now(), (client) => clients[client] !== undefined)
			.catch((error: Error) => this.#logUnrecorded(error));
	}

	#logUnrecorded(error: Error): void {
		this.#parts.logger.warn({ err: error.message }, 'mqtt: the connection time of a session could not be stored');
	}

	#authenticate(
		client: Client,
		username: string | undefined,
		password: Buffer | undefined,
		done: (error: AuthenticateError | null, success: boolean | null) => void,
	): void {
		const peer = this.#peers.get(client)!;
		const { credentials, senderLimits } = this.#parts;
		const { address } = peer.connection;
		credentials.namedSender(username, password?.toString('utf8')).then(
			(sender) => {
				peer.sender = sender;
				peer.paced = new PacedQueue([senderLimits.devices.of(sender.id), senderLimits.addresses.of(address)]);
				// Client ids are prefixed with the device id. A device that uses another's client id can then neither end the
				// other's connection nor get its session.
				(client as { id: string }).id = `${sender.id}/${client.id}`;
				this.#noteTakeOver(client.id, address);
				if (client.clean || this.#parts.sessions.hasRoomFor(client.id)) return done(null, true);
				this.#sessionsRefused++;
				done(
					Object.assign(new Error('the device has too many sessions'), {
						returnCode: UNAVAILABLE,
					}) as AuthenticateError,
					null,
				);
			},
			(error: Error) => {
				const refusal = Object.assign(new Error(error.message), { returnCode: BAD_CREDENTIALS }) as AuthenticateError;
				const wait = this.#parts.throttle.failed(address);
				if (wait === 0) done(refusal, null);
				else setTimeout(() => done(refusal, null), wait).unref();
			},
		);
	}

	#maySubscribe(client: Client, filter: string): boolean {
		const sender = this.#peers.get(client)?.sender;
		if (!sender || this.#isRevoked(sender)) return false;
		const own = this.#names.topics.toDevice(filter, sender);
		if (own !== undefined && maySubscribe(sender, own, this.#parts.registry)) return true;
		if (this.#parts.guest.maySubscribe(sender, filter)) return true;
		return this.#parts.decoders.uses('sparkplug-b') && maySubscribeSparkplug(sender, filter);
	}

	/**
	 * Grants a subscription if it is allowed, within the device's limit. A guest has no limit: it follows every sensor.
	 */
	#grant(client: Client, filter: string): boolean {
		const sender = this.#peers.get(client)?.sender;
		if (!sender || !this.#maySubscribe(client, filter)) return false;
		return this.#parts.guest.maySubscribe(sender, filter) || this.#filters.grant(sender.id, client, filter);
	}

	#isGranted(client: Client, filter: string): boolean {
		const sender = this.#peers.get(client)?.sender;
		return (
			sender !== undefined &&
			(this.#filters.isGranted(sender.id, client, filter) || this.#parts.guest.maySubscribe(sender, filter))
		);
	}

	/** Checked with each message, because a token may be revoked while its device is connected. */
	#isRevoked(sender: Sender): boolean {
		return this.#parts.registry.isRevoked(sender.id, sender.issuedAt);
	}

	/**
	 * Whether a message may go to a subscriber. One that is behind with reading gets no messages of QoS 0; those of QoS 1
	 * and 2 pile up until its connection ends at `maxUnread`.
	 */
	#mayForward(client: Client, packet: AedesPublishPacket): boolean {
		if (!this.#maySubscribe(client, packet.topic) || isLateCommand(packet, this.#parts.now())) return false;
		this.#names.nameForDevice(client, packet);
		if (!this.#peers.get(client)!.connection.isBehind || (packet.qos > 0 && !hasOnlyQos0(client))) return true;
		this.#withheld++;
		return false;
	}

	#authorizePublish(client: Client | null, packet: PublishPacket, onDone: Done): void {
		const peer = client ? this.#peers.get(client) : undefined;
		const sender = peer?.sender;
		if (!client || !peer || !sender) return void onDone(new Error('not signed in'));
		const { lane } = peer.connection;
		lane.brokerTook();
		const done: Done = (error) => {
			lane.brokerDid();
			onDone(error);
		};
		if (packet.qos < 2) this.#publications.publish(client, peer, sender, packet, done);
		// A message of QoS 2 that is sent again before its release is the same message (MQTT-4.3.3-2): it is acknowledged
		// and not stored again.
		else if (this.#parts.sessions.isUnreleased(client, packet.messageId!)) done();
		else this.#publications.publish(client, peer, sender, packet, done);
	}

	#toClients({ topic, payload, qos, retain, device }: LocalMessage): Promise<void> {
		if (retain && device !== undefined) this.#parts.sessions.attribute(topic, device);
		const packet = { cmd: 'publish', topic, payload, qos, retain, dup: false } as AedesPublishPacket;
		return new Promise((resolve, reject) =>
			this.#broker.publish(packet, (error?: Error) => (error ? reject(error) : resolve())),
		);
	}
}
