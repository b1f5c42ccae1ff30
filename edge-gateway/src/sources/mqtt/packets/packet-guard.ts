import { wrongConnect } from './connect-rules.ts';
import { RULES, type Rule } from './mqtt-rules.ts';
import { wrongFilter, wrongTopic } from './mqtt-strings.ts';
import { PacketReader, type PacketVisitor } from './packet-reader.ts';
import {
	CONNECT,
	DISCONNECT,
	PINGREQ,
	PUBACK,
	PUBCOMP,
	PUBLISH,
	PUBREC,
	PUBREL,
	SUBSCRIBE,
	UNSUBSCRIBE,
} from './packet-types.ts';

/** Most bytes a packet may have behind its fixed header. */
export interface PacketLimits {
	/** Of a CONNECT: client id, token and last will. */
	connect: number;
	publish: number;
	/** Of every other packet. */
	other: number;
}

/** Whether a packet of this type (PUBACK, PUBREC, PUBCOMP) may acknowledge the message of this identifier. */
export type MayAcknowledge = (type: number, packetId: number) => boolean;

/**
 * Watches the packets of one MQTT connection go by, before the broker's parser gathers them: that takes what the
 * standard calls malformed, and would hold up to 256 MiB of a packet that is not complete, also from somebody who has
 * not signed in. The rules are in mqtt-rules.ts.
 */
export class PacketGuard implements PacketVisitor<Rule> {
	readonly #limits: PacketLimits;
	readonly #mayAcknowledge: MayAcknowledge;
	readonly #reader = new PacketReader<Rule>(this);
	#connected = false;

	constructor(limits: PacketLimits, mayAcknowledge: MayAcknowledge) {
		this.#limits = limits;
		this.#mayAcknowledge = mayAcknowledge;
	}

	/** Whether a packet has begun and is not complete. */
	get inPacket(): boolean {
		return this.#reader.inPacket;
	}

	/** What the connection must be cut off for, or undefined while all is well. */
	look(chunk: Uint8Array): Rule | undefined {
		return this.#reader.look(chunk);
	}

	header(first: number, length: number): Rule | undefined {
		const type = first >> 4;
		if (type === PUBLISH && this.#connected) {
			if ((first & 6) === 6) return RULES.qos;
			if ((first & 14) === 8) return RULES.dup;
			return length > this.#limits.publish ? RULES.tooLarge : undefined;
		}
		if (type === CONNECT) {
			if (this.#connected) return RULES.secondConnect;
			this.#connected = true;
			if (first & 15) return RULES.flags;
			return length > this.#limits.connect ? RULES.tooLarge : undefined;
		}
		if (!this.#connected) return RULES.noConnect;
		if (length > this.#limits.other) return RULES.tooLarge;
		return wrongFlags(type, first & 15);
	}

	head(first: number, bytes: Uint8Array, start: number, end: number): Rule | undefined {
		switch (first >> 4) {
			case PUBLISH:
				return wrongPublish(first, bytes, start, end);
			case CONNECT:
				return wrongConnect(bytes, start, end);
			case SUBSCRIBE:
				return wrongFilters(bytes, start, end, 1, RULES.noFilter);
			case UNSUBSCRIBE:
				return wrongFilters(bytes, start, end, 0, RULES.noFilterToLeave);
			case PUBACK:
			case PUBREC:
			case PUBREL:
			case PUBCOMP:
				return this.#wrongAcknowledgement(first >> 4, bytes, start, end);
			default:
				return end > start ? RULES.malformed : undefined;
		}
	}

	endless(): Rule {
		return RULES.length;
	}

	/** A PUBREL of an unknown message is right: its PUBCOMP may have been lost, and is sent again (section 4.3.3). */
	#wrongAcknowledgement(type: number, bytes: Uint8Array, start: number, end: number): Rule | undefined {
		if (end - start !== 2) return RULES.malformed;
		const id = bytes[start]! * 256 + bytes[start + 1]!;
		if (id === 0) return RULES.packetId;
		return type === PUBREL || this.#mayAcknowledge(type, id) ? undefined : RULES.acknowledgement;
	}
}

/** Table 2.2: flags of every packet but PUBLISH. */
function wrongFlags(type: number, flags: number): Rule | undefined {
	switch (type) {
		case PUBREL:
			return flags === 2 ? undefined : RULES.pubrelFlags;
		case SUBSCRIBE:
			return flags === 2 ? undefined : RULES.subscribeFlags;
		case UNSUBSCRIBE:
			return flags === 2 ? undefined : RULES.unsubscribeFlags;
		case DISCONNECT:
			return flags === 0 ? undefined : RULES.disconnectFlags;
		case PUBACK:
		case PUBREC:
		case PUBCOMP:
		case PINGREQ:
			return flags === 0 ? undefined : RULES.flags;
		default:
			return RULES.reservedType;
	}
}

function wrongPublish(first: number, bytes: Uint8Array, start: number, end: number): Rule | undefined {
	if (end - start < 2) return RULES.malformed;
	const topicEnd = start + 2 + bytes[start]! * 256 + bytes[start + 1]!;
	const withId = (first & 6) > 0;
	if (topicEnd + (withId ? 2 : 0) > end) return RULES.malformed;
	if (withId && bytes[topicEnd] === 0 && bytes[topicEnd + 1] === 0) return RULES.packetId;
	return wrongTopic(bytes, start + 2, topicEnd);
}

/** Of SUBSCRIBE, where each filter is followed by a byte of options, and UNSUBSCRIBE. */
function wrongFilters(bytes: Uint8Array, start: number, end: number, options: number, none: Rule): Rule | undefined {
	if (end - start < 2) return RULES.malformed;
	if (bytes[start] === 0 && bytes[start + 1] === 0) return RULES.packetId;
	let at = start + 2;
	if (at === end) return none;
	while (at < end) {
		if (at + 2 > end) return RULES.malformed;
		const filterEnd = at + 2 + bytes[at]! * 256 + bytes[at + 1]!;
		if (filterEnd + options > end) return RULES.malformed;
		const wrong = wrongFilter(bytes, at + 2, filterEnd);
		if (wrong) return wrong;
		if (options && bytes[filterEnd]! > 2) return RULES.requestedQos;
		at = filterEnd + options;
	}
	return undefined;
}
