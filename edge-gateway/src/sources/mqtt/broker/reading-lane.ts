/** The messages of one client that go to the publications without the broker. */
import type { Client, PublishPacket } from 'aedes';
import type { Devices } from '../../../devices/devices.ts';
import type { Frame } from '../../../frame.ts';
import type { ReadingShapes, Repeating } from '../../../intake/shapes/reading-shapes.ts';
import type { Sender } from '../../../normalize/identify.ts';
import type { MqttPeer } from '../connection/peer.ts';
import { KnownTopics } from '../lane/known-topics.ts';
import type { LaneTaker } from '../lane/publish-lane.ts';
import type { IngestBroker } from './ingest-broker.ts';
import type { LocalBroker } from './local-broker.ts';
import type { MqttPublications } from './publications.ts';

export interface ReadingLaneParts {
	broker: IngestBroker;
	local: LocalBroker;
	shapes: ReadingShapes;
	devices: Devices;
	publications: MqttPublications;
	counts: LaneCounts;
}

/** Messages that the broker never saw, since the start. */
export interface LaneCounts {
	/** Of these: taken from bytes to bytes. */
	shaped: number;
	total: number;
}

/** A topic of telemetry in the gateway's own format that nobody but the gateway gets the messages of. */
interface KnownTopic {
	frame: Frame;
	repeating: Repeating;
}

/** Messages of one chunk that were taken by their shapes. */
interface Run {
	topics: KnownTopic[];
	payloads: Buffer[];
	/** 0 for QoS 0. */
	packetIds: number[];
}

/**
 * Takes readings in the gateway's own format, on topics that a message has been published to before and that nobody
 * subscribed to or taps: those of a known shape from bytes to bytes, the others as if the broker had handed them on.
 */
export class ReadingLane implements LaneTaker {
	readonly #parts: ReadingLaneParts;
	readonly #client: Client;
	readonly #peer: MqttPeer;
	readonly #sender: Sender;
	readonly #topics = new KnownTopics<KnownTopic>(({ repeating }) => this.#parts.shapes.forget(repeating));
	#revision = -1;
	#usesShapes = false;
	#run: Run = newRun();

	constructor(parts: ReadingLaneParts, client: Client, peer: MqttPeer, sender: Sender) {
		this.#parts = parts;
		this.#client = client;
		this.#peer = peer;
		this.#sender = sender;
	}

	/** Learns from a message in the gateway's own format, whichever way it came. */
	met(frame: Frame): void {
		if (this.#client.closed) return;
		const { shapes } = this.#parts;
		this.#forgetIfChanged();
		let known = this.#topics.get(frame.source);
		if (!known) {
			if (!this.#isForGatewayOnly(frame.source)) return;
			known = { frame: { ...frame, raw: NOTHING }, repeating: shapes.repeating(frame) };
			this.#topics.set(frame.source, known);
		}
		shapes.learn(known.repeating, frame);
	}

	/** Forgets everything, once the connection has ended. */
	close(): void {
		this.#topics.clear();
	}

	begin(): boolean {
		this.#usesShapes = this.#parts.shapes.begin(this.#sender.id);
		this.#forgetIfChanged();
		return !this.#client.closed && this.#parts.publications.isTaking;
	}

	take(bytes: Buffer, topic: number, topicEnd: number, payload: number, end: number, packetId: number): boolean {
		const known = this.#topics.find(bytes, topic, topicEnd);
		if (!known || !this.#peer.paced!.pass()) return false;
		const raw = bytes.subarray(payload, end);
		this.#parts.counts.total++;
		if (this.#usesShapes && this.#parts.shapes.take(known.repeating, raw)) {
			this.#parts.counts.shaped++;
			const { topics, payloads, packetIds } = this.#run;
			topics.push(known);
			payloads.push(raw);
			packetIds.push(packetId);
			if (packetId > 0) this.#peer.pubacks.expect(packetId);
		} else this.#forward(packetOf(known, raw, packetId));
		return true;
	}

	end(): void {
		const run = this.#run;
		if (run.topics.length === 0) return;
		this.#run = newRun();
		this.#parts.shapes.end('mqtt', (error, accepted) => {
			if (error) this.#retry(run, error);
			else this.#stored(run, accepted);
		});
	}

	/** Handles a message as the broker would have it handled. */
	#forward(packet: PublishPacket): void {
		const { broker, publications } = this.#parts;
		const client = this.#client;
		publications.publishNow(client, this.#peer, this.#sender, packet, (error) => {
			// Of QoS 1 the publications have made a message to nowhere.
			if (error || !broker.isRouted(packet)) this.#settle(error);
			else broker.publish({ ...packet } as never, client, (failed) => this.#settle(failed));
		});
	}

	/** Acknowledges a run that is on disk. */
	#stored(run: Run, accepted: number): void {
		const { devices, publications } = this.#parts;
		const { id, domainName } = this.#sender;
		devices.received(id, domainName, 'mqtt', accepted);
		// Somebody may have subscribed since.
		if (this.#parts.shapes.revision() + this.#routes === this.#revision)
			publications.acknowledgeAll(this.#peer, run.packetIds, () => this.#settle(undefined, run.topics.length));
		else
			this.#each(run, (packet, { frame }, raw, done) =>
				publications.stored(this.#client, this.#peer, packet, { ...frame, raw }, done),
			);
	}

	/** Has a run that could not be stored taken again. */
	#retry(run: Run, error: Error): void {
		this.#each(run, (packet, { frame }, raw, done) =>
			this.#parts.publications.retry(this.#client, this.#peer, packet, { ...frame, raw }, error, done),
		);
	}

	#each(
		{ topics, payloads, packetIds }: Run,
		handle: (packet: PublishPacket, known: KnownTopic, raw: Buffer, done: (error?: Error | null) => void) => void,
	): void {
		const { broker } = this.#parts;
		for (const [i, known] of topics.entries()) {
			const packet = packetOf(known, payloads[i]!, packetIds[i]!);
			handle(packet, known, payloads[i]!, (error) => {
				if (error || !broker.isRouted(packet)) this.#settle(error);
				else broker.publish({ ...packet } as never, this.#client, (failed) => this.#settle(failed));
			});
		}
	}

	#settle(error?: Error | null, messages = 1): void {
		const { lane, stream } = this.#peer.connection;
		if (error) stream.destroy(error);
		lane.settled(messages);
	}

	#isForGatewayOnly(topic: string): boolean {
		const { broker, local } = this.#parts;
		return !broker.isRouted({ topic, retain: false }) && !local.isTapped(topic);
	}

	/** Rises with every change of who gets messages besides the gateway. */
	get #routes(): number {
		return this.#parts.broker.revision + this.#parts.local.revision;
	}

	#forgetIfChanged(): void {
		const revision = this.#parts.shapes.revision() + this.#routes;
		if (revision === this.#revision) return;
		this.#revision = revision;
		this.#topics.clear();
	}
}

const NOTHING = Buffer.alloc(0);
const newRun = (): Run => ({ topics: [], payloads: [], packetIds: [] });

function packetOf({ frame: { source } }: KnownTopic, payload: Buffer, packetId: number): PublishPacket {
	const packet = { cmd: 'publish', topic: source, payload, qos: 0, dup: false, retain: false } as PublishPacket;
	if (packetId === 0) return packet;
	packet.qos = 1;
	packet.messageId = packetId;
	return packet;
}
