import { CrowdVisionError } from '@crowdvision/contracts';
import type { IPublishPacket } from 'mqtt-packet';
import type { DecodeBy } from '../../decode/decoders.ts';
import { parseJson } from '../../decode/message/json.ts';
import type { Deliver, Frame } from '../../frame.ts';
import type { LocalBroker } from '../../sources/mqtt/broker/local-broker.ts';
import { publicationOf } from '../../sources/mqtt/broker/topics.ts';
import { type GuardedLink, type LoopGuard, MOST_HOPS } from '../loops/loop-guard.ts';
import type { ReturnBound } from '../loops/return-bound.ts';
import type { DropReason } from './bridge-tally.ts';

/** User property (MQTT 5) that lists the gateways a message came through, separated by spaces. */
export const PATH_PROPERTY = 'crowdvision-path';
/** What stands in front of the offset in the id of a reading: the id of a gateway's log. */
const READING_ID = /^([0-9a-f]{12})-(\d{1,15})$/;

export interface InboundParts {
	link: GuardedLink;
	guard: LoopGuard;
	bound: ReturnBound;
	local: LocalBroker;
	deliver: Deliver;
	/** The rule of the decoders for a topic. */
	decodeBy: (topic: string) => DecodeBy | undefined;
	/** Id of this gateway's log: what bears it is our own. */
	logId: string;
	/** Takes one expected echo of this bridge out, if there is one. */
	isEcho: (remoteTopic: string, payload: Buffer) => boolean;
	/** The same of another bridge, by the local topic. */
	isReturn: (fromLink: string, localTopic: string, payload: Buffer) => boolean;
}

/**
 * What a message of the remote is for: a reading goes the way of all readings, anything else is published on the local
 * broker.
 */
export class Inbound {
	readonly #parts: InboundParts;

	constructor(parts: InboundParts) {
		this.#parts = parts;
	}

	/** @throws what says that it cannot be taken for now. */
	async take(packet: IPublishPacket): Promise<DropReason | undefined> {
		const { link, guard, local } = this.#parts;
		const payload = packet.payload as Buffer;
		const mapped = link.topics.toLocal(packet.topic);
		if (!mapped) return 'no_rule';
		const { topic, rule } = mapped;
		if (this.#parts.isEcho(packet.topic, payload)) return 'echo';
		if (guard.isOnStandby(link.name, rule)) return 'standby';
		const path = pathOf(packet);
		if (path.includes(guard.id) || path.length >= MOST_HOPS) return 'loop';
		for (const other of guard.returningFrom(link.name)) if (this.#parts.isReturn(other, topic, payload)) return 'echo';
		if (await this.#goesRound(topic, rule, payload)) return 'loop';
		const publication = publicationOf(topic, this.#parts.decodeBy(topic));
		if (publication.kind === 'telemetry' && payload.length > 0) {
			const dropped = await this.#deliver(topic, payload, publication);
			if (dropped) return dropped;
		}
		// Readings are not kept as retained messages: the log has them.
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
	 * Whether a message that was sent on another bridge of late has come round, and is not the same one from somebody
	 * else: a probe finds out.
	 */
	async #goesRound(topic: string, rule: number, payload: Buffer): Promise<boolean> {
		const { link, guard, bound } = this.#parts;
		if (!guard.concerns(link)) return false;
		const others = bound.sentElsewhere(link.name, topic, payload, performance.now());
		if (others.length === 0) return false;
		const confirmed = await Promise.all(others.map((other) => guard.confirm(other, link)));
		return (
			confirmed.includes(true) || (guard.suspects(link, rule) && bound.goesRound(topic, payload, performance.now()))
		);
	}

	/** As any source does; what is refused is in the rejected list, and done with. */
	async #deliver(
		topic: string,
		raw: Buffer,
		{ context, decodeBy }: Pick<Frame, 'context' | 'decodeBy'>,
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
		const own = !decodeBy && this.#number(frame, logId);
		if (own) return 'echo';
		try {
			await deliver(frame);
			return undefined;
		} catch (error) {
			if (error instanceof CrowdVisionError && error.status < 500) return 'rejected';
			throw error;
		}
	}

	/**
	 * A reading that another gateway has made canonical is known by its id, so where it has no number of its own it gets
	 * one from there: then the dedup window recognizes it, by whatever way it comes again. True where it is this
	 * gateway's own.
	 */
	#number(frame: Frame, logId: string): boolean {
		try {
			frame.parsed = parseJson(frame.raw);
		} catch {
			return false;
		}
		const reading = frame.parsed as { id?: unknown; seq?: unknown; boot?: unknown } | null;
		if (typeof reading !== 'object' || reading === null || typeof reading.id !== 'string') return false;
		const [, gateway, offset] = READING_ID.exec(reading.id) ?? [];
		if (gateway === undefined) return false;
		if (gateway === logId) return true;
		if (reading.seq === undefined) {
			reading.seq = Number(offset);
			reading.boot = gateway;
		}
		return false;
	}
}

/** The gateways a message came through, as far as MQTT 5 could tell. */
function pathOf(packet: IPublishPacket): string[] {
	const told = packet.properties?.userProperties?.[PATH_PROPERTY];
	const last = Array.isArray(told) ? told.at(-1) : told;
	return last ? last.split(' ', MOST_HOPS) : [];
}
