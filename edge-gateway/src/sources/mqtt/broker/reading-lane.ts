/** The messages of one client that go to the publications without the broker. */
import type { Client, PublishPacket } from 'aedes';
import type { Frame } from '../../../frame.ts';
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
	publications: MqttPublications;
	/** Rises with every change after which what is known of a topic may be wrong. */
	revision(): number;
}

/** A topic of telemetry in the gateway's own format that nobody but the gateway gets the messages of. */
interface KnownTopic {
	topic: string;
}

/**
 * Takes readings in the gateway's own format, on topics that a message has been published to before and that nobody
 * subscribed to or taps. They are handled as the broker's messages are; only the broker is left out.
 */
export class ReadingLane implements LaneTaker {
	readonly #parts: ReadingLaneParts;
	readonly #client: Client;
	readonly #peer: MqttPeer;
	readonly #sender: Sender;
	readonly #topics = new KnownTopics<KnownTopic>();
	#revision = -1;

	constructor(parts: ReadingLaneParts, client: Client, peer: MqttPeer, sender: Sender) {
		this.#parts = parts;
		this.#client = client;
		this.#peer = peer;
		this.#sender = sender;
	}

	/** Notes a message in the gateway's own format, whichever way it came. */
	met({ source }: Frame): void {
		this.#forgetIfChanged();
		if (this.#topics.get(source) !== undefined || !this.#isForGatewayOnly(source)) return;
		this.#topics.set(source, { topic: source });
	}

	begin(): boolean {
		this.#forgetIfChanged();
		return !this.#client.closed;
	}

	take(bytes: Buffer, topic: number, topicEnd: number, payload: number, end: number, packetId: number): boolean {
		const known = this.#topics.find(bytes, topic, topicEnd);
		if (!known || !this.#peer.paced!.pass()) return false;
		this.#forward(known, bytes.subarray(payload, end), packetId);
		return true;
	}

	end(): void {}

	/** Handles a message as the broker would have it handled. */
	#forward({ topic }: KnownTopic, raw: Buffer, packetId: number): void {
		const { broker, publications } = this.#parts;
		const packet = { cmd: 'publish', topic, payload: raw, qos: 0, dup: false, retain: false } as PublishPacket;
		if (packetId > 0) {
			packet.qos = 1;
			packet.messageId = packetId;
		}
		const client = this.#client;
		publications.publishNow(client, this.#peer, this.#sender, packet, (error) => {
			// Of QoS 1 the publications have made a message to nowhere.
			if (error || !broker.isRouted(packet)) this.#settle(error);
			else broker.publish({ ...packet } as never, client, (failed) => this.#settle(failed));
		});
	}

	#settle(error: Error | null | undefined): void {
		const { lane, stream } = this.#peer.connection;
		if (error) stream.destroy(error);
		lane.settled(1);
	}

	#isForGatewayOnly(topic: string): boolean {
		const { broker, local } = this.#parts;
		return !broker.isRouted({ topic, retain: false }) && !local.isTapped(topic);
	}

	#forgetIfChanged(): void {
		const revision = this.#parts.revision();
		if (revision === this.#revision) return;
		this.#revision = revision;
		this.#topics.clear();
	}
}
