import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { createServer, type Socket, type Server as TcpServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { type CommandAnswer, CrowdVisionError, commandAnswer } from '@crowdvision/contracts';
import { backOff, type Logger, pause } from '@crowdvision/service-kit';
import type { AedesPublishPacket, AuthenticateError, Client, PublishPacket } from 'aedes';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { Credentials } from '../credentials.ts';
import type { Decoders } from '../decode/decoders.ts';
import { parseJson } from '../decode/json.ts';
import type { Devices } from '../devices.ts';
import type { Lines } from '../downlink/lines.ts';
import { MqttLines } from '../downlink/mqtt-lines.ts';
import type { Frame, Intake, Settled } from '../intake.ts';
import { notAllowed, type Sender } from '../normalize/identify.ts';
import type { Registry } from '../registry.ts';
import { IngestBroker } from './ingest-broker.ts';
import { LocalBroker, type LocalMessage } from './local-broker.ts';
import { guardSessions, isUnreleased, lowered } from './mqtt-sessions.ts';
import { isForOthers, isOwn, maySubscribe, maySubscribeSparkplug, type Publication, publicationOf } from './mqtt-topics.ts';
import { PacketGuard } from './packet-guard.ts';
import { PubackWriter } from './puback-writer.ts';
import type { Deliver, Source, Take } from './source.ts';

const MAX_MESSAGE = 1024 * 1024;
/** Client id, token and last will. */
const LARGEST_CONNECT = 16 * 1024;
const MOST_CONNECTIONS = 5000;
const CONNECT_TIMEOUT_MS = 10_000;
const MOST_TOPICS_REMEMBERED = 4096;
/** Where what was refused goes instead of to subscribers: MQTT 3.1.1 can only acknowledge it (MQTT-3.3.5-2), and nobody may subscribe here. */
const REFUSED_TOPIC = '$refused';
const NO_CONTEXT = {};
/** CONNACK return code 4: bad user name or password (MQTT 3.1.1 section 3.2.2.3). */
const BAD_CREDENTIALS = 4;

interface MqttParts {
	credentials: Credentials;
	devices: Devices;
	registry: Registry;
	decoders: Decoders;
	refuse: Intake['refuse'];
	/** Where devices hear commands, and whom their answers are told. */
	lines: Lines;
	answered(sensorId: string, answer: CommandAnswer): Promise<void>;
	logger: Logger;
	host: string;
	port: number;
}

/**
 * The embedded MQTT broker, over TCP and over WebSocket at `/mqtt`.
 *
 * A message is acknowledged only after `authorizePublish` called back, by aedes or by us (see #acknowledge), so that is where the
 * reading is made durable. aedes reads on from a client
 * only when all packets of its last chunk have called back: a slow disk slows the senders, and nothing piles up here.
 */
export class MqttSource implements Source {
	readonly name = 'mqtt';
	/** For the parts of the gateway that publish here or listen in. */
	readonly local = new LocalBroker((message) => this.#toClients(message));
	readonly #parts: MqttParts;
	readonly #broker: IngestBroker;
	readonly #server: TcpServer;
	readonly #webSockets = new WebSocketServer({
		noServer: true,
		maxPayload: MAX_MESSAGE,
		handleProtocols: (offered) => (offered.has('mqtt') ? 'mqtt' : false),
	});
	readonly #pubacks = new PubackWriter();
	readonly #connections = new Set<Duplex>();
	readonly #senders = new WeakMap<Client, Sender>();
	readonly #topics = new Map<string, Publication>();
	/** Of the decoders that `#topics` was made by. */
	#generation = 0;
	readonly #stopping = new AbortController();
	#taking: Take | undefined;

	constructor(parts: MqttParts) {
		this.#parts = parts;
		this.#broker = new IngestBroker({
			connectTimeout: CONNECT_TIMEOUT_MS,
			authenticate: (client, username, password, done) => this.#authenticate(client, username, password, done),
			authorizePublish: (client, packet, done) => this.#authorizePublish(client, packet, done),
			authorizeSubscribe: (client, subscription, done) =>
				done(null, this.#maySubscribe(client, subscription.topic) ? lowered(client, subscription) : null),
			authorizeForward: (client, packet) => (this.#maySubscribe(client, packet.topic) ? packet : null),
		});
		new MqttLines(this.#broker, parts.lines, (client) => this.#senders.get(client));
		this.#broker.on('clientReady', (client) => {
			const sender = this.#senders.get(client);
			if (sender) this.#parts.devices.connected(sender.id, sender.domainName, 'mqtt');
		});
		this.#broker.on('clientDisconnect', (client) => this.#onGone(client));
		// Without Nagle's delay, or PUBACKs wait for company that the sender in turn waits for.
		this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
		this.#server.maxConnections = MOST_CONNECTIONS;
	}

	/** The port in use, once started. */
	get port(): number {
		return (this.#server.address() as { port: number }).port;
	}

	/** Takes the path `/mqtt` of a server that others share. */
	attach(server: HttpServer): void {
		server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
			if (request.url?.split('?', 1)[0] !== '/mqtt') return;
			if (this.#stopping.signal.aborted || this.#connections.size >= MOST_CONNECTIONS) return void socket.destroy();
			socket.setNoDelay(true);
			this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
				this.#accept(createWebSocketStream(webSocket));
			});
		});
	}

	async start(_deliver: Deliver, take: Take): Promise<void> {
		this.#taking = take;
		await this.#broker.listen();
		guardSessions(this.#broker, (client, filter) => this.#maySubscribe(client, filter));
		await new Promise<void>((resolve, reject) => {
			const { host, port } = this.#parts;
			this.#server.once('error', (error: NodeJS.ErrnoException) => {
				reject(
					new Error(
						error.code === 'EADDRINUSE'
							? `MQTT port ${port} on ${host} is taken; set MQTT_PORT to another`
							: `cannot listen for MQTT: ${error.message}`,
					),
				);
			});
			this.#server.listen(port, host, resolve);
		});
	}

	async stop(): Promise<void> {
		this.#stopping.abort();
		this.#taking = undefined;
		const closed = this.#server.listening ? new Promise<void>((resolve) => this.#server.close(() => resolve())) : Promise.resolve();
		await new Promise<void>((resolve) => this.#broker.close(() => resolve()));
		for (const connection of this.#connections) connection.destroy();
		await closed;
	}

	trouble(): string | undefined {
		return this.#server.listening ? undefined : 'MQTT: not listening';
	}

	#accept(connection: Duplex): void {
		this.#connections.add(connection);
		connection.on('close', () => this.#connections.delete(connection));
		connection.on('error', () => undefined);
		this.#guard(connection);
		this.#broker.handle(connection);
	}

	/** Cuts a connection off that sends more than a packet may hold. Where aedes reads, and not as a stream of its own: that would cost a tenth of the rate. */
	#guard(connection: Duplex): void {
		const guard = new PacketGuard(LARGEST_CONNECT, MAX_MESSAGE);
		const read = connection.read.bind(connection);
		connection.read = (size) => {
			const chunk: Buffer | null = read(size);
			const wrong = chunk && guard.look(chunk);
			if (!wrong) return chunk;
			this.#parts.logger.info({ wrong }, 'mqtt: a connection was cut off');
			connection.destroy();
			return null;
		};
	}

	#authenticate(
		client: Client,
		username: string | undefined,
		password: Buffer | undefined,
		done: (error: AuthenticateError | null, success: boolean | null) => void,
	): void {
		this.#parts.credentials.namedSender(username, password?.toString('utf8')).then(
			(sender) => {
				this.#senders.set(client, sender);
				// Sessions belong to devices: whoever comes with another's client id neither ends its connection nor gets what waits for it.
				(client as { id: string }).id = `${sender.id}/${client.id}`;
				done(null, true);
			},
			(error: Error) => done(Object.assign(new Error(error.message), { returnCode: BAD_CREDENTIALS }) as AuthenticateError, null),
		);
	}

	#onGone(client: Client): void {
		const sender = this.#senders.get(client);
		if (sender) this.#parts.devices.disconnected(sender.id, 'mqtt');
	}

	#maySubscribe(client: Client, filter: string): boolean {
		const sender = this.#senders.get(client);
		if (!sender || this.#isRevoked(sender)) return false;
		if (maySubscribe(sender, filter, (sensorId) => this.#parts.registry.sensor(sensorId)?.buildingId)) return true;
		return this.#parts.decoders.uses('sparkplug-b') && maySubscribeSparkplug(sender, filter);
	}

	/** A token may be revoked while its device is connected. */
	#isRevoked(sender: Sender): boolean {
		return this.#parts.registry.isRevoked(sender.id, sender.issuedAt);
	}

	#authorizePublish(client: Client | null, packet: PublishPacket, done: (error?: Error | null) => void): void {
		const sender = client ? this.#senders.get(client) : undefined;
		if (!client || !sender) done(new Error('not signed in'));
		else if (packet.qos < 2) this.#publish(client, sender, packet, done);
		else isUnreleased(this.#broker, client, packet).then((unreleased) => (unreleased ? done() : this.#publish(client, sender, packet, done)));
	}

	/** Calls `done` when the packet may be acknowledged, with an error where the connection must be closed instead. */
	#publish(client: Client, sender: Sender, packet: PublishPacket, done: (error?: Error | null) => void): void {
		const publication = this.#publicationOf(packet.topic);
		const raw = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload);
		const frame: Frame = { transport: 'mqtt', source: packet.topic, sender, context: NO_CONTEXT, raw, decodeBy: undefined };
		if (publication.kind === 'status') return void this.#status(frame, packet, publication.sensorId).then(() => done(), done);
		const { retain } = packet;
		// Readings are not kept as retained messages: the log has them, and one per topic would be an unbounded store.
		packet.retain = false;
		if (publication.kind === 'result') return void this.#result(frame, packet, publication.sensorId).then(() => done(), done);
		if (publication.kind === 'unknown') {
			if (isForOthers(packet.topic) && this.local.isTapped(packet.topic)) {
				packet.retain = retain;
				return void Promise.resolve(this.#offer(frame, packet, retain)).then(() => done(), done);
			}
			const message = 'The topic must be telemetry/{buildingId}/{roomId}/{sensorId}[/{metric}], status/{sensorId} or command/{sensorId}/result';
			return void this.#refuse(frame, packet, 'bad_request', message).then(() => done(), done);
		}
		frame.context = publication.context;
		frame.decodeBy = publication.decodeBy;
		this.#take(frame, (error, accepted) => {
			if (error) return void this.#again(client, packet, frame, error).then(() => done(), done);
			this.#parts.devices.heard(sender.id, sender.domainName, 'mqtt', accepted);
			const offered = this.#offer(frame, packet, retain);
			// What a vendor's device publishes is for the gateway, and for who listens in: never for another device.
			if (publication.decodeBy !== undefined && isForOthers(packet.topic)) packet.topic = REFUSED_TOPIC;
			if (offered) return void offered.then(() => done(), done);
			this.#acknowledge(client, packet);
			done();
		});
	}

	/** Lets who listens in have it. Undefined when nobody does, or nothing has to be waited for. */
	#offer({ source, raw }: Frame, { qos }: PublishPacket, retain: boolean): Promise<unknown> | undefined {
		return this.local.offer({ topic: source, payload: raw, qos, retain });
	}

	#toClients({ topic, payload, qos, retain }: LocalMessage): Promise<void> {
		const packet = { cmd: 'publish', topic, payload, qos, retain, dup: false } as AedesPublishPacket;
		return new Promise((resolve, reject) => this.#broker.publish(packet, (error?: Error) => (error ? reject(error) : resolve())));
	}

	/**
	 * Acknowledges here what nobody else is to get, as aedes would take longer for it than everything before; for aedes it is then a message of
	 * QoS 0. Where the client does not read its acknowledgements, aedes does it, and waits.
	 */
	#acknowledge(client: Client, packet: PublishPacket): void {
		const { messageId } = packet;
		const connection = client.conn as Duplex;
		if (packet.qos !== 1 || messageId === undefined) return;
		if (connection.writableNeedDrain || this.#broker.isRouted(packet)) {
			// In the order they came in (MQTT-4.6.0-2).
			this.#pubacks.flush(connection);
			return;
		}
		this.#pubacks.add(connection, messageId);
		packet.qos = 0;
	}

	#take(frame: Frame, settled: Settled): void {
		if (this.#taking) this.#taking(frame, settled);
		else settled(new Error('the gateway is stopping'), 0);
	}

	/** What was refused is acknowledged. What cannot be taken now is tried again: a full log makes the client wait, not fail. */
	async #again(client: Client, packet: PublishPacket, frame: Frame, first: Error): Promise<void> {
		let error: Error | undefined = first;
		for (let attempt = 0; error; attempt++) {
			if (!(error instanceof CrowdVisionError)) throw error;
			if (error.status < 500) {
				packet.topic = REFUSED_TOPIC;
				return;
			}
			await pause(backOff(attempt, 50, 2000), this.#stopping.signal);
			if (client.closed) throw error;
			error = await new Promise((resolve) => this.#take(frame, resolve));
		}
	}

	/** A device's answer to a command: acknowledged when it is kept. */
	async #result(frame: Frame, packet: PublishPacket, sensorId: string): Promise<void> {
		if (!this.#maySpeakFor(frame.sender, sensorId)) return this.#refuse(frame, packet, 'forbidden', `${frame.source} is not of ${frame.sender.id}`);
		const answer = parsed(frame.raw);
		if (!commandAnswer.check(answer)) {
			const { path, message } = commandAnswer.problem(answer)!;
			return this.#refuse(frame, packet, 'bad_request', `${path || 'The answer to a command'} ${message}`);
		}
		await this.#offer(frame, packet, false);
		await this.#parts.answered(sensorId, answer);
	}

	#maySpeakFor(sender: Sender, sensorId: string): boolean {
		if (this.#isRevoked(sender)) return false;
		if (isOwn(sender, sensorId)) return true;
		const buildingId = this.#parts.registry.sensor(sensorId)?.buildingId ?? sender.buildingId;
		return !sender.sensorIds && buildingId !== undefined && !notAllowed(sender, sensorId, buildingId, this.#parts.registry);
	}

	async #status(frame: Frame, packet: PublishPacket, sensorId: string): Promise<void> {
		const { sender } = frame;
		if (!this.#maySpeakFor(sender, sensorId)) return this.#refuse(frame, packet, 'forbidden', `status/${sensorId} is not of ${sender.id}`);
		const state = frame.raw.toString('utf8');
		if (state !== 'online' && state !== 'offline') return this.#refuse(frame, packet, 'bad_request', 'A status must be "online" or "offline"');
		await this.#offer(frame, packet, packet.retain);
		this.#parts.devices.availability(sensorId, state);
	}

	/** Keeps the refusal, and keeps the message from subscribers. It is acknowledged all the same. */
	async #refuse(frame: Frame, packet: PublishPacket, code: 'bad_request' | 'forbidden', message: string): Promise<void> {
		packet.topic = REFUSED_TOPIC;
		packet.retain = false;
		await this.#parts.refuse(frame, new CrowdVisionError(code, message)).catch((error: unknown) => {
			if (!(error instanceof CrowdVisionError)) throw error;
		});
	}

	/** Topics are few and come again and again; their meaning is remembered, within a bound. */
	#publicationOf(topic: string): Publication {
		const { decoders } = this.#parts;
		if (this.#generation !== decoders.generation) {
			this.#generation = decoders.generation;
			this.#topics.clear();
		}
		let publication = this.#topics.get(topic);
		if (!publication) {
			publication = publicationOf(topic, decoders.forTopic(topic));
			if (this.#topics.size >= MOST_TOPICS_REMEMBERED) this.#topics.clear();
			this.#topics.set(topic, publication);
		}
		return publication;
	}
}

function parsed(raw: Buffer): unknown {
	try {
		return parseJson(raw);
	} catch {
		return undefined;
	}
}
