import { type CommandAnswer, CrowdVisionError, commandAnswer } from '@crowdvision/contracts';
import { backOff, pause } from '@crowdvision/service-kit';
import type { AedesPublishPacket, Client, PublishPacket } from 'aedes';
import type { Decoders } from '../../../decode/decoders.ts';
import { parseJson } from '../../../decode/message/json.ts';
import type { Availability } from '../../../devices/availability.ts';
import type { Devices } from '../../../devices/devices.ts';
import type { Completion, Frame, Take } from '../../../frame.ts';
import type { Intake } from '../../../intake/intake.ts';
import { isForeign, notAllowed, type Sender } from '../../../normalize/identify.ts';
import type { Registry } from '../../../registry.ts';
import type { MqttPeer } from '../connection/peer.ts';
import { PubackWriter } from '../connection/puback-writer.ts';
import { type IngestBroker, NOWHERE } from './ingest-broker.ts';
import type { LocalBroker } from './local-broker.ts';
import { isForOthers, isOwn, type Publication, publicationOf } from './topics.ts';

/** Calls back when the packet may be acknowledged, with an error where the connection must be closed instead. */
export type Done = (error?: Error | null) => void;

interface PublicationParts {
	broker: IngestBroker;
	local: LocalBroker;
	devices: Devices;
	/** Told what devices say of themselves. */
	availability: Availability;
	registry: Registry;
	decoders: Decoders;
	refuse: Intake['refuse'];
	/** Told a device's answer to a command; resolves when it is kept. */
	answered(sensorId: string, answer: CommandAnswer): Promise<void>;
	/** What one who is no device may say, and so nobody else may. */
	guestMaySay(sender: Sender, topic: string): boolean;
	/** Told of a message that must wait because its sender is too fast. */
	onPaced: () => void;
	stopping: AbortSignal;
}

const MOST_TOPICS_REMEMBERED = 4096;
const NO_CONTEXT = {};

/**
 * What becomes of a message that a device publishes:
 *
 *   rate ─▶ topic ─┬─ telemetry ─▶ intake, log ─▶ who listens in ─┬─▶ subscribers ─▶ PUBACK
 *                  ├─ status ────▶ availability ────────────────────┤
 *                  ├─ result ────▶ downlink ────────────────────────┤
 *                  └─ anything else, or not allowed ─▶ rejected ───┴─▶ PUBACK: MQTT 3.1.1 can only acknowledge it (MQTT-3.3.5-2)
 *
 * aedes reads on from a client only when all packets of its last chunk have called back: a slow disk slows the senders,
 * and nothing piles up here.
 */
export class MqttPublications {
	readonly #parts: PublicationParts;
	readonly #pubacks = new PubackWriter();
	readonly #topics = new Map<string, Publication>();
	/** Of the decoders that `#topics` was made by. */
	#generation = 0;
	#taking: Take | undefined;

	constructor(parts: PublicationParts) {
		this.#parts = parts;
	}

	/** Where readings go; undefined: nowhere any more. */
	takeWith(take: Take | undefined): void {
		this.#taking = take;
	}

	/** Calls `done` when the packet is acknowledged here or may be by the broker. */
	publish(client: Client, peer: MqttPeer, sender: Sender, packet: PublishPacket, done: Done): void {
		if (packet.qos === 1 && packet.messageId !== undefined) peer.pubacks.expect(packet.messageId);
		const { pace } = peer;
		if (!pace || pace.pass()) this.#judge(client, peer, sender, packet, done);
		else {
			this.#parts.onPaced();
			pace.hold(() => this.#judge(client, peer, sender, packet, done));
		}
	}

	#judge(client: Client, peer: MqttPeer, sender: Sender, packet: PublishPacket, done: Done): void {
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
		if (publication.kind === 'status') {
			return void this.#status(frame, packet, publication.sensorId).then(
				() => this.#settle(client, peer, packet, done),
				done,
			);
		}
		const { retain } = packet;
		// Readings are not kept as retained messages: the log has them, and one per topic would be an unbounded store.
		packet.retain = false;
		if (publication.kind === 'result') {
			return void this.#result(frame, packet, publication.sensorId).then(
				() => this.#settle(client, peer, packet, done),
				done,
			);
		}
		if (publication.kind === 'unknown') {
			return void this.#unknown(frame, packet, retain).then(() => this.#settle(client, peer, packet, done), done);
		}
		frame.context = publication.context;
		frame.decodeBy = publication.decodeBy;
		this.#take(frame, (error, accepted) => {
			if (error)
				return void this.#again(client, packet, frame, error).then(
					() => this.#settle(client, peer, packet, done),
					done,
				);
			this.#parts.devices.heard(sender.id, sender.domainName, 'mqtt', accepted);
			const offered = this.#offer(frame, packet, retain);
			// What a vendor's device publishes is for the gateway, and for who listens in: never for another device.
			if (publication.decodeBy !== undefined && isForOthers(packet.topic)) packet.topic = NOWHERE;
			if (offered) return void offered.then(() => this.#settle(client, peer, packet, done), done);
			this.#settle(client, peer, packet, done);
		});
	}

	/**
	 * Acknowledges a message of QoS 1 once whoever subscribed to it has it, on disk where its session is away. For aedes
	 * it is then one of QoS 0 that goes nowhere: aedes itself would acknowledge first, and take longer for it than
	 * everything before.
	 */
	#settle(client: Client, peer: MqttPeer, packet: PublishPacket, done: Done): void {
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
		// Who does not read its acknowledgements is not read on from either; aedes emits the event too when the connection
		// closes.
		const { stream } = pubacks.connection;
		if (stream.writableNeedDrain && !stream.destroyed) stream.once('drain', () => done());
		else done();
	}

	#take(frame: Frame, onDurable: Completion): void {
		if (this.#taking) this.#taking(frame, onDurable);
		else onDurable(new Error('the gateway is stopping'), 0);
	}

	/**
	 * What was refused is acknowledged. What cannot be taken now is tried again: a full log makes the client wait, not
	 * fail.
	 */
	async #again(client: Client, packet: PublishPacket, frame: Frame, first: Error): Promise<void> {
		let error: Error | undefined = first;
		for (let attempt = 0; error; attempt++) {
			if (!(error instanceof CrowdVisionError)) throw error;
			if (error.status < 500) {
				packet.topic = NOWHERE;
				return;
			}
			await pause(backOff(attempt, 50, 2000), this.#parts.stopping);
			if (client.closed) throw error;
			error = await new Promise((resolve) => this.#take(frame, resolve));
		}
	}

	/** A topic that has no meaning here may go to who listens in, such as a bridge. */
	async #unknown(frame: Frame, packet: PublishPacket, retain: boolean): Promise<void> {
		if (
			isForOthers(packet.topic) &&
			this.#parts.local.isTapped(packet.topic) &&
			this.#parts.guestMaySay(frame.sender, packet.topic)
		) {
			packet.retain = retain;
			await this.#offer(frame, packet, retain);
			return;
		}
		const message =
			'The topic must be telemetry/{buildingId}/{roomId}/{sensorId}[/{metric}], status/{sensorId} or command/{sensorId}/result';
		await this.#refuse(frame, packet, 'bad_request', message);
	}

	/** A device's answer to a command: acknowledged when it is kept. */
	async #result(frame: Frame, packet: PublishPacket, sensorId: string): Promise<void> {
		if (!this.#maySpeakFor(frame.sender, sensorId))
			return this.#refuse(frame, packet, 'forbidden', `${frame.source} is not of ${frame.sender.id}`);
		const answer = parsed(frame.raw);
		if (!commandAnswer.check(answer)) {
			const { path, message } = commandAnswer.problem(answer)!;
			return this.#refuse(frame, packet, 'bad_request', `${path || 'The answer to a command'} ${message}`);
		}
		await this.#offer(frame, packet, false);
		await this.#parts.answered(sensorId, answer);
	}

	#maySpeakFor(sender: Sender, sensorId: string): boolean {
		const { registry } = this.#parts;
		if (registry.isRevoked(sender.id, sender.issuedAt) || isForeign(sender.domainName, sensorId, registry))
			return false;
		if (isOwn(sender, sensorId)) return true;
		const buildingId = registry.sensor(sensorId)?.buildingId ?? sender.buildingId;
		return !sender.sensorIds && buildingId !== undefined && !notAllowed(sender, sensorId, buildingId, registry);
	}

	async #status(frame: Frame, packet: PublishPacket, sensorId: string): Promise<void> {
		const { sender } = frame;
		if (!this.#maySpeakFor(sender, sensorId))
			return this.#refuse(frame, packet, 'forbidden', `status/${sensorId} is not of ${sender.id}`);
		const state = frame.raw.toString('utf8');
		if (state !== 'online' && state !== 'offline')
			return this.#refuse(frame, packet, 'bad_request', 'A status must be "online" or "offline"');
		await this.#offer(frame, packet, packet.retain);
		this.#parts.availability.said(sensorId, state, sender.domainName);
	}

	/** Lets who listens in have it. Undefined when nobody does, or nothing has to be waited for. */
	#offer({ source, raw }: Frame, { qos }: PublishPacket, retain: boolean): Promise<unknown> | undefined {
		return this.#parts.local.offer({ topic: source, payload: raw, qos, retain });
	}

	/** Keeps the refusal, and keeps the message from subscribers. It is acknowledged all the same. */
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
