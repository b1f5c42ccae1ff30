/** Sends each PUBLISH to the part of the gateway that its topic belongs to. */
import { type CommandAnswer, CrowdVisionError, commandAnswer } from '@crowdvision/contracts';
import { keepTrying } from '@crowdvision/service-kit';
import type { AedesPublishPacket, Client, PublishPacket } from 'aedes';
import type { Decoders } from '../../../decode/decoders.ts';
import { parseJson } from '../../../decode/message/json.ts';
import type { Availability } from '../../../devices/availability.ts';
import type { Devices } from '../../../devices/devices.ts';
import { type Completion, deliverTo, type Frame, type Take } from '../../../frame.ts';
import type { Intake } from '../../../intake/intake.ts';
import { isForeign, notAllowed, type Sender } from '../../../normalize/identify.ts';
import type { Registry } from '../../../registry.ts';
import type { TenantTopics } from '../../../topics/tenant-topics.ts';
import type { MqttConnection } from '../connection/connection.ts';
import type { MqttPeer } from '../connection/peer.ts';
import { PubackWriter } from '../connection/puback-writer.ts';
import { type IngestBroker, NOWHERE } from './ingest-broker.ts';
import type { LocalBroker } from './local-broker.ts';
import { isForeignTopic, isOwn, type Publication, publicationOf } from './topics.ts';

/** Called when the packet may be acknowledged; with an error, the connection is closed instead. */
export type Done = (error?: Error | null) => void;

interface PublicationParts {
	broker: IngestBroker;
	local: LocalBroker;
	devices: Devices;
	/** Gets the status messages of devices. */
	availability: Availability;
	registry: Registry;
	topics: TenantTopics;
	decoders: Decoders;
	refuse: Intake['refuse'];
	/** Counts a message that holds no reading by its nature. */
	ignore: Intake['ignore'];
	/** Takes a device's answer to a command; resolves when it is stored. */
	answered(from: { sensorId: string; domainName?: string }, answer: CommandAnswer): Promise<void>;
	/** False for topics reserved for a guest (see MqttParts.guest), unless the sender is that guest. */
	guestMayPublish(sender: Sender, topic: string): boolean;
	/** Called before a device's message is retained on a topic. */
	retainedBy(topic: string, device: string): void;
	/** Called for each message that has to wait because its sender is too fast. */
	onPaced: () => void;
	stopping: AbortSignal;
}

const MAX_CACHED_TOPICS = 4096;
const NO_CONTEXT = {};

/**
 * Handles the messages that devices publish:
 *
 *   rate ─▶ topic ─┬─ telemetry ─▶ intake, log ─▶ taps ─┬─▶ subscribers ─▶ PUBACK
 *                  ├─ status ────▶ availability ────────┤
 *                  ├─ result ────▶ downlink ────────────┤
 *                  └─ else, or not allowed ─▶ rejected ─┴─▶ PUBACK: MQTT 3.1.1 has no refusal (MQTT-3.3.5-2)
 *
 * aedes reads on from a client only when all packets of the last chunk have called back. So a slow disk slows the
 * senders down, and no messages pile up here.
 */
export class MqttPublications {
	readonly #parts: PublicationParts;
	readonly #pubacks = new PubackWriter();
	readonly #topics = new Map<string, Publication>();
	/** Generation of the decoders for which `#topics` is valid. */
	#generation = 0;
	#taking: Take | undefined;
	readonly #deliver = deliverTo((frame, onDurable) => this.#take(frame, onDurable));

	constructor(parts: PublicationParts) {
		this.#parts = parts;
	}

	/** Sets where readings go; undefined once the gateway is stopping. */
	takeWith(take: Take | undefined): void {
		this.#taking = take;
	}

	get isTaking(): boolean {
		return this.#taking !== undefined;
	}

	/** Handles a message. Calls `done` when the packet was acknowledged here or may be acknowledged by the broker. */
	publish(client: Client, peer: MqttPeer, sender: Sender, packet: PublishPacket, done: Done): void {
		const { paced } = peer;
		if (!paced || paced.pass()) this.publishNow(client, peer, sender, packet, done);
		else {
			expectPuback(peer, packet);
			this.#parts.onPaced();
			paced.hold(() => this.#dispatch(client, peer, sender, packet, done));
		}
	}

	/** As `publish`, for a message that the rates of its sender have let pass. */
	publishNow(client: Client, peer: MqttPeer, sender: Sender, packet: PublishPacket, done: Done): void {
		expectPuback(peer, packet);
		this.#dispatch(client, peer, sender, packet, done);
	}

	#dispatch(client: Client, peer: MqttPeer, sender: Sender, packet: PublishPacket, done: Done): void {
		const publication = this.#publicationOf(packet.topic);
		const raw = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload);
		const frame: Frame = {
			transport: 'mqtt',
			source: packet.topic,
			sender,
			context: NO_CONTEXT,
			raw,
			decodeBy: undefined,
		};
		if (publication.kind === 'status' || publication.kind === 'result')
			packet.topic = this.#parts.topics.toBroker(packet.topic, sender);
		if (publication.kind === 'status') {
			return void this.#status(frame, packet, publication.sensorId).then(
				() => this.#complete(client, peer, packet, done),
				done,
			);
		}
		const { retain } = packet;
		// Readings are never retained: the log has them, and one message per topic would be an unbounded store.
		packet.retain = false;
		if (publication.kind === 'result') {
			return void this.#result(frame, packet, publication.sensorId).then(
				() => this.#complete(client, peer, packet, done),
				done,
			);
		}
		// A side topic of a product, such as its announcement to Home Assistant, may be reserved for a guest.
		const isReserved =
			publication.kind === 'telemetry' &&
			publication.decodeBy?.side === 'beside' &&
			!this.#parts.guestMayPublish(sender, packet.topic);
		if (publication.kind === 'unknown' || isReserved) {
			return void this.#unknown(frame, packet, retain).then(() => this.#complete(client, peer, packet, done), done);
		}
		// It clears what a client has left on a topic of readings, which are never retained here.
		if (raw.length === 0 && retain && publication.decodeBy === undefined) {
			this.#ignore(frame, packet);
			return void this.#complete(client, peer, packet, done);
		}
		frame.context = publication.context;
		frame.decodeBy = publication.decodeBy;
		if (publication.decodeBy === undefined) peer.readings?.met(frame);
		this.#take(frame, (error, accepted) => {
			if (error) return this.retry(client, peer, packet, frame, error, done);
			this.#parts.devices.received(sender.id, sender.domainName, 'mqtt', accepted);
			this.stored(client, peer, packet, frame, done, retain);
		});
	}

	/** Goes on with a message that is on disk: gives it to taps and subscribers, then acknowledges it. */
	stored(client: Client, peer: MqttPeer, packet: PublishPacket, frame: Frame, done: Done, retain = false): void {
		const offered = this.#offer(frame, packet, retain);
		// Messages that a decoder reads are for the gateway and its taps, never for other devices.
		if (frame.decodeBy !== undefined && isForeignTopic(packet.topic)) packet.topic = NOWHERE;
		if (offered) void offered.then(() => this.#complete(client, peer, packet, done), done);
		else this.#complete(client, peer, packet, done);
	}

	/** Goes on with a message that was not taken, with the error that kept it from it. */
	retry(client: Client, peer: MqttPeer, packet: PublishPacket, frame: Frame, error: Error, done: Done): void {
		this.#retry(client, packet, frame, error).then(() => this.#complete(client, peer, packet, done), done);
	}

	/**
	 * Acknowledges a message of QoS 1 once all subscribers have it, on disk for sessions that are away. aedes then sees a
	 * message of QoS 0 to nowhere: it would itself acknowledge before that, and spend more time on it than everything
	 * above.
	 */
	#complete(client: Client, peer: MqttPeer, packet: PublishPacket, done: Done): void {
		const { messageId } = packet;
		if (packet.qos !== 1 || messageId === undefined) done();
		else if (!this.#parts.broker.isRouted(packet)) this.#acknowledge(peer, packet, messageId, done);
		else {
			const routed = { ...packet } as PublishPacket as AedesPublishPacket;
			this.#parts.broker.publish(routed, client, (error) =>
				error ? done(error) : this.#acknowledge(peer, packet, messageId, done),
			);
		}
	}

	#acknowledge({ pubacks }: MqttPeer, packet: PublishPacket, messageId: number, done: Done): void {
		this.#pubacks.acknowledge(pubacks, messageId);
		packet.qos = 0;
		packet.topic = NOWHERE;
		packet.retain = false;
		whenWritable(pubacks.connection, done);
	}

	/** Acknowledges messages that are on disk and that nobody else gets. Packet identifier 0: not to be acknowledged. */
	acknowledgeAll({ pubacks }: MqttPeer, packetIds: readonly number[], done: () => void): void {
		for (const id of packetIds) if (id > 0) this.#pubacks.acknowledge(pubacks, id);
		whenWritable(pubacks.connection, done);
	}

	#take(frame: Frame, onDurable: Completion): void {
		if (this.#taking) this.#taking(frame, onDurable);
		else onDurable(new Error('the gateway is stopping'), 0);
	}

	/**
	 * Handles a reading that was not taken. A refused one is acknowledged. One that cannot be taken now is tried again: a
	 * full log makes the client wait for its PUBACK, and not fail.
	 * @throws when the client has disconnected or the gateway is stopping
	 */
	async #retry(client: Client, packet: PublishPacket, frame: Frame, first: Error): Promise<void> {
		try {
			await keepTrying(
				async (attempt) => {
					if (attempt === 0) throw first;
					if (client.closed) throw new Error('the client has disconnected');
					await this.#deliver(frame);
				},
				{
					what: 'mqtt: storing a message',
					firstMs: 50,
					longestMs: 2000,
					signal: this.#parts.stopping,
					retryIf: (error) => error instanceof CrowdVisionError && error.status >= 500,
				},
			);
		} catch (error) {
			if (!(error instanceof CrowdVisionError) || error.status >= 500) throw error;
			packet.topic = NOWHERE;
		}
	}

	/** Handles a topic without a meaning here: a tap such as a bridge may take the message; otherwise it is refused. */
	async #unknown(frame: Frame, packet: PublishPacket, retain: boolean): Promise<void> {
		if (
			isForeignTopic(packet.topic) &&
			this.#parts.local.isTapped(packet.topic) &&
			this.#parts.guestMayPublish(frame.sender, packet.topic)
		) {
			packet.retain = retain;
			if (retain) this.#parts.retainedBy(packet.topic, frame.sender.id);
			await this.#offer(frame, packet, retain);
			return;
		}
		if (frame.raw.length === 0 && retain) return this.#ignore(frame, packet);
		const message =
			'The topic must be telemetry/{buildingId}/{roomId}/{sensorId}[/{metric}], status/{sensorId} or ' +
			'command/{sensorId}/result';
		await this.#refuse(frame, packet, 'bad_request', message);
	}

	/** Handles a device's answer to a command; resolves when it is stored. */
	async #result(frame: Frame, packet: PublishPacket, sensorId: string): Promise<void> {
		if (!this.#mayPublishFor(frame.sender, sensorId))
			return this.#refuse(frame, packet, 'forbidden', `${frame.sender.id} may not publish to ${frame.source}`);
		const answer = parsed(frame.raw);
		if (!commandAnswer.check(answer)) {
			const { path, message } = commandAnswer.problem(answer)!;
			return this.#refuse(frame, packet, 'bad_request', `${path || 'The answer to a command'} ${message}`);
		}
		await this.#offer(frame, packet, false);
		const { domainName } = frame.sender;
		await this.#parts.answered({ sensorId, ...(domainName !== undefined && { domainName }) }, answer);
	}

	#mayPublishFor(sender: Sender, sensorId: string): boolean {
		const { registry } = this.#parts;
		if (registry.isRevoked(sender.id, sender.issuedAt) || isForeign(sender.domainName, sensorId, registry))
			return false;
		if (isOwn(sender, sensorId)) return true;
		const buildingId = registry.sensor(sensorId, sender)?.buildingId ?? sender.buildingId;
		return !sender.sensorIds && buildingId !== undefined && !notAllowed(sender, sensorId, buildingId, registry);
	}

	async #status(frame: Frame, packet: PublishPacket, sensorId: string): Promise<void> {
		const { sender } = frame;
		if (!this.#mayPublishFor(sender, sensorId))
			return this.#refuse(frame, packet, 'forbidden', `${sender.id} may not publish to status/${sensorId}`);
		if (frame.raw.length === 0 && packet.retain) {
			// It clears the retained state (MQTT-3.3.1-10).
			this.#parts.ignore(frame, 'chatter');
			await this.#offer(frame, packet, true);
			return;
		}
		const state = frame.raw.toString('utf8');
		if (state !== 'online' && state !== 'offline')
			return this.#refuse(frame, packet, 'bad_request', 'A status must be "online" or "offline"');
		if (packet.retain) this.#parts.retainedBy(packet.topic, sender.id);
		await this.#offer(frame, packet, packet.retain);
		this.#parts.availability.reported(sensorId, state, sender.domainName);
	}

	/** Gives the message to the taps. Undefined when there is nothing to wait for. */
	#offer({ source, raw }: Frame, { qos }: PublishPacket, retain: boolean): Promise<unknown> | undefined {
		return this.#parts.local.offer({ topic: source, payload: raw, qos, retain });
	}

	/** Counts a message as chatter and withholds it from subscribers. It is acknowledged. */
	#ignore(frame: Frame, packet: PublishPacket): void {
		packet.topic = NOWHERE;
		packet.retain = false;
		this.#parts.ignore(frame, 'chatter');
	}

	/** Lists the message as rejected and withholds it from subscribers. It is still acknowledged. */
	async #refuse(
		frame: Frame,
		packet: PublishPacket,
		code: 'bad_request' | 'forbidden',
		message: string,
	): Promise<void> {
		packet.topic = NOWHERE;
		packet.retain = false;
		await this.#parts.refuse(frame, new CrowdVisionError(code, message)).catch((error: unknown) => {
			if (!(error instanceof CrowdVisionError)) throw error;
		});
	}

	/** The meaning of a topic, from a bounded cache: devices use few topics, again and again. */
	#publicationOf(topic: string): Publication {
		const { decoders } = this.#parts;
		if (this.#generation !== decoders.generation) {
			this.#generation = decoders.generation;
			this.#topics.clear();
		}
		let publication = this.#topics.get(topic);
		if (!publication) {
			publication = publicationOf(topic, decoders.forTopic(topic));
			if (this.#topics.size >= MAX_CACHED_TOPICS) this.#topics.clear();
			this.#topics.set(topic, publication);
		}
		return publication;
	}
}

/**
 * Calls back when a client has read its acknowledgements: until then no further messages are read from it. aedes emits
 * `drain` also when the connection closes.
 */
function whenWritable({ stream }: MqttConnection, done: () => void): void {
	if (stream.writableNeedDrain && !stream.destroyed) stream.once('drain', () => done());
	else done();
}

function expectPuback({ pubacks }: MqttPeer, { qos, messageId }: PublishPacket): void {
	if (qos === 1 && messageId !== undefined) pubacks.expect(messageId);
}

function parsed(raw: Buffer): unknown {
	try {
		return parseJson(raw);
	} catch {
		return undefined;
	}
}
