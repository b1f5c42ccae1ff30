import { isUtf8 } from 'node:buffer';
import { RULES, type Rule } from './rules.ts';

const HASH = 0x23;
const PLUS = 0x2b;
const SLASH = 0x2f;

/** The rule that a string breaks (MQTT 3.1.1 section 1.5.3); undefined when it is valid. */
export function stringViolation(bytes: Uint8Array, start: number, end: number): Rule | undefined {
	let ascii = true;
	for (let at = start; at < end; at++) {
		const byte = bytes[at]!;
		if (byte === 0) return RULES.nul;
		if (byte > 127) ascii = false;
	}
	return ascii || isUtf8(bytes.subarray(start, end)) ? undefined : RULES.utf8;
}

/** The rule that the topic of a message breaks (sections 3.3.2.1 and 4.7.3). */
export function topicViolation(bytes: Uint8Array, start: number, end: number): Rule | undefined {
	if (start === end) return RULES.noTopic;
	let ascii = true;
	for (let at = start; at < end; at++) {
		const byte = bytes[at]!;
		if (byte === 0) return RULES.nul;
		if (byte === HASH || byte === PLUS) return RULES.wildcardInTopic;
		if (byte > 127) ascii = false;
	}
	return ascii || isUtf8(bytes.subarray(start, end)) ? undefined : RULES.utf8;
}

/** The rule that a topic filter breaks (sections 4.7.1 and 4.7.3). */
export function filterViolation(bytes: Uint8Array, start: number, end: number): Rule | undefined {
	if (start === end) return RULES.noTopic;
	for (let at = start; at < end; at++) {
		const byte = bytes[at];
		if (byte !== HASH && byte !== PLUS) continue;
		const alone = (at === start || bytes[at - 1] === SLASH) && (at + 1 === end || bytes[at + 1] === SLASH);
		if (byte === PLUS && !alone) return RULES.oneLevel;
		if (byte === HASH && !(alone && at + 1 === end)) return RULES.manyLevels;
	}
	return stringViolation(bytes, start, end);
}
