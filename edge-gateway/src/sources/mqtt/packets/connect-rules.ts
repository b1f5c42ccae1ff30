import { RULES, type Rule } from './mqtt-rules.ts';
import { wrongString, wrongTopic } from './mqtt-strings.ts';

const CLEAN = 0x02;
const WILL = 0x04;
const WILL_RETAIN = 0x20;
const PASSWORD = 0x40;
const USER = 0x80;
/** Set by bridges in the protocol level, as Mosquitto's do; what they want by it is granted to them. */
const BRIDGE = 0x80;

/** What is wrong with the contents of a CONNECT (MQTT 3.1.1 section 3.1). */
export function wrongConnect(bytes: Uint8Array, start: number, end: number): Rule | undefined {
	const fields = new Fields(bytes, start, end);
	if (!fields.next()) return RULES.connect;
	const name = Buffer.from(bytes.buffer, bytes.byteOffset + fields.start, fields.end - fields.start).toString('latin1');
	const [level, flags] = [bytes[fields.end], bytes[fields.end + 1]];
	if (level === undefined || fields.end >= end) return RULES.connect;
	if (name === 'MQTT' && level === 5) return RULES.protocol5;
	if (name !== 'MQTT' && name !== 'MQIsdp') return RULES.protocolName;
	if ((level & ~BRIDGE) !== (name === 'MQTT' ? 4 : 3)) return RULES.protocolLevel;
	if (flags === undefined || fields.end + 4 > end) return RULES.connect;
	return wrongFlags(flags) ?? wrongFields(fields, flags);
}

function wrongFlags(flags: number): Rule | undefined {
	if (flags & 1) return RULES.connectFlag;
	const willQos = (flags >> 3) & 3;
	if (!(flags & WILL) && willQos > 0) return RULES.willQosWithoutWill;
	if (!(flags & WILL) && flags & WILL_RETAIN) return RULES.willRetainWithoutWill;
	if (willQos === 3) return RULES.willQos;
	return flags & PASSWORD && !(flags & USER) ? RULES.passwordWithoutUser : undefined;
}

/**
 * Client identifier, will topic, will message, user name, password: each where its flag is set, in this order (section
 * 3.1.3).
 */
function wrongFields(fields: Fields, flags: number): Rule | undefined {
	const { bytes } = fields;
	fields.skip(4);
	if (!fields.next()) return RULES.connect;
	if (fields.start === fields.end && !(flags & CLEAN)) return RULES.clientId;
	const wrong = wrongString(bytes, fields.start, fields.end);
	if (wrong) return wrong;
	if (flags & WILL) {
		if (!fields.next()) return RULES.connect;
		const wrongWill = wrongTopic(bytes, fields.start, fields.end);
		if (wrongWill) return wrongWill;
		if (!fields.next()) return RULES.connect;
	}
	if (flags & USER) {
		if (!fields.next()) return RULES.connect;
		const wrongUser = wrongString(bytes, fields.start, fields.end);
		if (wrongUser) return wrongUser;
	}
	if (flags & PASSWORD && !fields.next()) return RULES.connect;
	return fields.isAtEnd ? undefined : RULES.connect;
}

/** Walks over fields that each begin with their length. */
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

	/** False where the next field is not all there. */
	next(): boolean {
		if (this.end + 2 > this.#limit) return false;
		this.start = this.end + 2;
		this.end = this.start + this.bytes[this.end]! * 256 + this.bytes[this.end + 1]!;
		return this.end <= this.#limit;
	}
}
