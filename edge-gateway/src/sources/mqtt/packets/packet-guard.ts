/** Checks the packets of a connection before the broker parses them. */
import { connectViolation } from './connect-rules.ts';
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
import { RULES, type Rule } from './rules.ts';
import { filterViolation, topicViolation } from './strings.ts';

/** The longest packets a client may send: bytes after the fixed header. */
export interface PacketLimits {
	/** Of a CONNECT, which holds client id, token and last will. */
	connect: number;
	publish: number;
	/** Of every other packet. */
	other: number;
}

/** Whether a packet of this type (PUBACK, PUBREC or PUBCOMP) may acknowledge the message with this identifier. */
export type MayAcknowledge = (type: number, packetId: number) => boolean;

/**
 * Checks the packets of one MQTT connection before the broker's parser collects them. That parser accepts packets that
 * the standard calls malformed, and would hold up to 256 MiB of an incomplete packet, even of a client that has not
 * signed in. rules.ts lists the rules.
 */
export class PacketGuard implements PacketVisitor<Rule> {
	readonly #limits: PacketLimits;
	readonly #mayAcknowledge: MayAcknowledge;
	readonly #reader = new PacketReader<Rule>(this);
	#connected = false;
	/** The keep-alive of the CONNECT, in seconds (section 3.1.2.10); 0: none. */
	keepAlive = 0;

	constructor(limits: PacketLimits, mayAcknowledge: MayAcknowledge) {
		this.#limits = limits;
		this.#mayAcknowledge = mayAcknowledge;
	}

	/** Whether a packet has begun and is not complete. */
	get inPacket(): boolean {
		return this.#reader.inPacket;
	}

	/** Checks the next bytes of the client. Returns the rule they break, for which the connection must end. */
	inspect(chunk: Uint8Array): Rule | undefined {
		return this.#reader.read(chunk);
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
		return flagsViolation(type, first & 15);
	}

	head(first: number, bytes: Uint8Array, start: number, end: number): Rule | undefined {
		switch (first >> 4) {
			case PUBLISH:
				return publishViolation(first, bytes, start, end);
			case CONNECT:
				return this.#connectViolation(bytes, start, end);
			case SUBSCRIBE:
				return filtersViolation(bytes, start, end, 1, RULES.noFilter);
			case UNSUBSCRIBE:
				return filtersViolation(bytes, start, end, 0, RULES.noUnsubscribeFilter);
			case PUBACK:
			case PUBREC:
			case PUBREL:
			case PUBCOMP:
				return this.#acknowledgementViolation(first >> 4, bytes, start, end);
			default:
				return end > start ? RULES.malformed : undefined;
		}
	}

	lengthTooLong(): Rule {
		return RULES.length;
	}

	#connectViolation(bytes: Uint8Array, start: number, end: number): Rule | undefined {
		const violation = connectViolation(bytes, start, end);
		// Protocol name, level and flags stand before it.
		const at = start + 2 + bytes[start]! * 256 + bytes[start + 1]! + 2;
		if (!violation) this.keepAlive = bytes[at]! * 256 + bytes[at + 1]!;
		return violation;
	}

	/** A PUBREL for an unknown message is allowed: its PUBCOMP may have been lost and is sent again (section 4.3.3). */
	#acknowledgementViolation(type: number, bytes: Uint8Array, start: number, end: number): Rule | undefined {
		if (end - start !== 2) return RULES.malformed;
		const id = bytes[start]! * 256 + bytes[start + 1]!;
		if (id === 0) return RULES.packetId;
		return type === PUBREL || this.#mayAcknowledge(type, id) ? undefined : RULES.acknowledgement;
	}
}

/** Checks the type, and the flags of table 2.2, of every packet but PUBLISH and CONNECT. */
function flagsViolation(type: number, flags: number): Rule | undefined {
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

function publishViolation(first: number, bytes: Uint8Array, start: number, end: number): Rule | undefined {
	if (end - start < 2) return RULES.malformed;
	const topicEnd = start + 2 + bytes[start]! * 256 + bytes[start + 1]!;
	const withId = (first & 6) > 0;
	if (topicEnd + (withId ? 2 : 0) > end) return RULES.malformed;
	if (withId && bytes[topicEnd] === 0 && bytes[topicEnd + 1] === 0) return RULES.packetId;
	return topicViolation(bytes, start + 2, topicEnd);
}

/**
 * Checks the filters of a SUBSCRIBE or UNSUBSCRIBE.
 * @param options bytes after each filter: 1 in a SUBSCRIBE, for the QoS; 0 in an UNSUBSCRIBE
 * @param none the rule that a packet without any filter breaks
 */
function filtersViolation(
	bytes: Uint8Array,
	start: number,
	end: number,
	options: number,
	none: Rule,
): Rule | undefined {
	if (end - start < 2) return RULES.malformed;
	if (bytes[start] === 0 && bytes[start + 1] === 0) return RULES.packetId;
	let at = start + 2;
	if (at === end) return none;
	while (at < end) {
		if (at + 2 > end) return RULES.malformed;
		const filterEnd = at + 2 + bytes[at]! * 256 + bytes[at + 1]!;
		if (filterEnd + options > end) return RULES.malformed;
		const violation = filterViolation(bytes, at + 2, filterEnd);
		if (violation) return violation;
		if (options && bytes[filterEnd]! > 2) return RULES.requestedQos;
		at = filterEnd + options;
	}
	return undefined;
}
