import { CrowdVisionError } from '@crowdvision/contracts';
import type { IPublishPacket } from 'mqtt-packet';
import type { DecodeBy } from '../../decode/decoders.ts';
import { parseJson } from '../../decode/message/json.ts';
import type { Deliver, Frame } from '../../frame.ts';
import type { LocalBroker } from '../../sources/mqtt/broker/local-broker.ts';
import { publicationOf } from '../../sources/mqtt/broker/topics.ts';
import type { GuardedLink, LoopGuard } from '../loops/loop-guard.ts';
import { MAX_HOPS } from '../loops/loop-probe.ts';
import type { RecentSends } from '../loops/recent-sends.ts';
import type { DropReason } from './bridge-tally.ts';

/** User property (MQTT 5) with the ids of the gateways a message came through, separated by spaces. */
export const PATH_PROPERTY = 'crowdvision-path';
/** Id of a reading: the id of a gateway's log, and the reading's offset in it. */
const READING_ID = /^([0-9a-f]{12})-(\d{1,15})$/;

export interface InboundParts {
	link: GuardedLink;
	guard: LoopGuard;
	sends: RecentSends;
	local: LocalBroker;
	deliver: Deliver;
	/** The decoder rule for a topic. */
	decodeBy: (topic: string) => DecodeBy | undefined;
	/** Id of this gateway's log, which is in the ids of its own readings. */
	logId: string;
	/** Whether a message is an expected echo of this bridge, which then is expected one time less. */
	isEcho: (remoteTopic: string, payload: Buffer) => boolean;
	/** The same for messages of another bridge that come back by this one. */
	isReturn: (fromLink: string, localTopic: string, payload: Buffer) => boolean;
	/** Whether the remote sends a message because it kept it, and not because it was published just now. */
	isStored: (packet: IPublishPacket) => boolean;
}

/**
 * Handles the messages from a remote: readings are delivered to the intake like those of any source, and all messages
 * are published on the local broker, except echoes and those that went round a loop.
 */
export class Inbound {
	readonly #parts: InboundParts;

	constructor(parts: InboundParts) {
		this.#parts = parts;
	}

	/**
	 * Handles a message. Resolves when its effect is durable, with the reason if it was dropped.
	 * @throws Error when the message cannot be taken now
	 */
	async take(packet: IPublishPacket): Promise<DropReason | undefined> {
		const { link, guard, local } = this.#parts;
		const payload = packet.payload as Buffer;
		const mapped = link.topics.toLocal(packet.topic);
		if (!mapped) return 'no_rule';
		const { topic, rule } = mapped;
		if (this.#parts.isEcho(packet.topic, payload)) return 'echo';
		if (guard.isOnStandby(link.name, rule)) return 'standby';
		const path = pathOf(packet);
		if (path.includes(guard.id) || path.length >= MAX_HOPS) return 'loop';
		for (const other of guard.returningFrom(link.name)) if (this.#parts.isReturn(other, topic, payload)) return 'echo';
		if (await this.#wentRound(topic, rule, payload)) return 'loop';
		const publication = publicationOf(topic, this.#parts.decodeBy(topic));
		if (publication.kind === 'telemetry' && payload.length > 0) {
			const dropped = await this.#deliver(topic, payload, publication, this.#parts.isStored(packet));
			if (dropped) return dropped;
		}
		// Readings are never retained: the log has them.
		const retain = packet.retain && link.topics.rules[rule]!.keepRetain && publication.kind !== 'telemetry';
		await local.publish({
			topic,
			payload,
			qos: packet.qos,
			retain,
			origin: link.name,
			...(path.length > 0 && { path }),
		});
		return undefined;
	}

	/**
	 * Whether a message that another bridge has sent of late came back through a loop. A probe tells it from the same
	 * message of another sender.
	 */
	async #wentRound(topic: string, rule: number, payload: Buffer): Promise<boolean> {
		const { link, guard, sends } = this.#parts;
		if (!guard.mayLoop(link)) return false;
		const others = sends.sentElsewhere(link.name, topic, payload, performance.now());
		if (others.length === 0) return false;
		const confirmed = await Promise.all(others.map((other) => guard.confirm(other, link)));
		if (confirmed.includes(true)) return true;
		return guard.suspects(link, rule) && sends.returnsTooOften(topic, payload, performance.now());
	}

	/** Delivers a reading to the intake; a refused one is in the rejected list, and finished. */
	async #deliver(
		topic: string,
		raw: Buffer,
		{ context, decodeBy }: Pick<Frame, 'context' | 'decodeBy'>,
		isStored: boolean,
	): Promise<DropReason | undefined> {
		const { link, deliver, logId } = this.#parts;
		const sender = {
			id: `bridge:${link.name}`,
			domainName: undefined,
			sensorIds: undefined,
			buildingId: undefined,
			bridge: link.name,
		};
		const frame: Frame = { transport: 'mqtt', source: topic, sender, context, raw, decodeBy };
		// What the remote keeps comes again whenever we subscribe.
		if (isStored) frame.retained = true;
		if (!decodeBy && this.#identify(frame, logId) === 'own') return 'echo';
		try {
			await deliver(frame);
			return undefined;
		} catch (error) {
			if (error instanceof CrowdVisionError && error.status < 500) return 'rejected';
			throw error;
		}
	}

	/**
	 * Tells a reading of this gateway from one of another gateway, by the id. If a reading of another gateway has no
	 * `seq`, it gets one from the id, so that the dedup window recognizes it by whatever path it comes again.
	 */
	#identify(frame: Frame, logId: string): 'own' | 'other' {
		try {
			frame.parsed = parseJson(frame.raw);
		} catch {
			return 'other';
		}
		const reading = frame.parsed as { id?: unknown; seq?: unknown; boot?: unknown } | null;
		if (typeof reading !== 'object' || reading === null || typeof reading.id !== 'string') return 'other';
		const [, gateway, offset] = READING_ID.exec(reading.id) ?? [];
		if (gateway === undefined) return 'other';
		if (gateway === logId) return 'own';
		if (reading.seq === undefined) {
			reading.seq = Number(offset);
			reading.boot = gateway;
		}
		return 'other';
	}
}

/** The ids of the gateways a message came through; empty unless the remote speaks MQTT 5. */
function pathOf(packet: IPublishPacket): string[] {
	const property = packet.properties?.userProperties?.[PATH_PROPERTY];
	const last = Array.isArray(property) ? property.at(-1) : property;
	return last ? last.split(' ', MAX_HOPS) : [];
}
