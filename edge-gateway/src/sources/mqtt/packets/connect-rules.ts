/** Checks a CONNECT packet against MQTT 3.1.1 section 3.1. */
import { RULES, type Rule } from './rules.ts';
import { stringViolation, topicViolation } from './strings.ts';

const CLEAN = 0x02;
const WILL = 0x04;
const WILL_RETAIN = 0x20;
const PASSWORD = 0x40;
const USER = 0x80;
/** Set in the protocol level by bridges such as Mosquitto's. The broker supports what it asks for. */
const BRIDGE = 0x80;

/** The rule that the contents of a CONNECT break (MQTT 3.1.1 section 3.1); undefined when they are valid. */
export function connectViolation(bytes: Uint8Array, start: number, end: number): Rule | undefined {
	const fields = new Fields(bytes, start, end);
	if (!fields.next()) return RULES.connect;
	const name = Buffer.from(bytes.buffer, bytes.byteOffset + fields.start, fields.end - fields.start).toString('latin1');
	const [level, flags] = [bytes[fields.end], bytes[fields.end + 1]];
	if (level === undefined || fields.end >= end) return RULES.connect;
	if (name === 'MQTT' && level === 5) return RULES.protocol5;
	if (name !== 'MQTT' && name !== 'MQIsdp') return RULES.protocolName;
	if ((level & ~BRIDGE) !== (name === 'MQTT' ? 4 : 3)) return RULES.protocolLevel;
	if (flags === undefined || fields.end + 4 > end) return RULES.connect;
	return flagsViolation(flags) ?? fieldsViolation(fields, flags);
}

function flagsViolation(flags: number): Rule | undefined {
	if (flags & 1) return RULES.connectFlag;
	const willQos = (flags >> 3) & 3;
	if (!(flags & WILL) && willQos > 0) return RULES.willQosWithoutWill;
	if (!(flags & WILL) && flags & WILL_RETAIN) return RULES.willRetainWithoutWill;
	if (willQos === 3) return RULES.willQos;
	return flags & PASSWORD && !(flags & USER) ? RULES.passwordWithoutUser : undefined;
}

/**
 * Checks the payload: client identifier, will topic, will message, user name and password, in this order, each present
 * if its flag is set (section 3.1.3).
 */
function fieldsViolation(fields: Fields, flags: number): Rule | undefined {
	const { bytes } = fields;
	fields.skip(4);
	if (!fields.next()) return RULES.connect;
	if (fields.start === fields.end && !(flags & CLEAN)) return RULES.clientId;
	const inClientId = stringViolation(bytes, fields.start, fields.end);
	if (inClientId) return inClientId;
	if (flags & WILL) {
		if (!fields.next()) return RULES.connect;
		const inWill = topicViolation(bytes, fields.start, fields.end);
		if (inWill) return inWill;
		if (!fields.next()) return RULES.connect;
	}
	if (flags & USER) {
		if (!fields.next()) return RULES.connect;
		const inUser = stringViolation(bytes, fields.start, fields.end);
		if (inUser) return inUser;
	}
	if (flags & PASSWORD && !fields.next()) return RULES.connect;
	return fields.isAtEnd ? undefined : RULES.connect;
}

/** Steps through length-prefixed fields; `start` and `end` are the bounds of the current one. */
class Fields {
	readonly bytes: Uint8Array;
	start: number;
	end: number;
	readonly #limit: number;

	constructor(bytes: Uint8Array, at: number, limit: number) {
		this.bytes = bytes;
		this.start = at;
		this.end = at;
		this.#limit = limit;
	}

	get isAtEnd(): boolean {
		return this.end === this.#limit;
	}

	skip(count: number): void {
		this.end += count;
	}

	/** Moves to the next field. False when it is incomplete. */
	next(): boolean {
		if (this.end + 2 > this.#limit) return false;
		this.start = this.end + 2;
		this.end = this.start + this.bytes[this.end]! * 256 + this.bytes[this.end + 1]!;
		return this.end <= this.#limit;
	}
}
