/** Finds the members of decoded LoRaWAN payloads that look like measures and are not read. */
import type { UnknownField } from '../message/unknown-field.ts';
import { unknownFields } from '../vendor/unknown-fields.ts';
import { isObject, type JsonObject, member, textMember } from '../vendor/vendor-table.ts';
import type { Vocabulary } from '../vendor/vocabulary.ts';
import { CAYENNE_LPP, cayenneMembers } from './cayenne-lpp.ts';
import { isPartKey } from './milesight.ts';
import { LORAWAN } from './payload.ts';

/** What looks like a measure in a payload that a codec has decoded, and is not read. */
export function unknownInPayload(payload: unknown, vocabulary: Vocabulary): UnknownField[] {
	if (!isObject(payload)) return [];
	const table = vocabulary.table(LORAWAN);
	const lpp = vocabulary.table(CAYENNE_LPP);
	const channels: JsonObject = {};
	const others: JsonObject = {};
	for (const [key, value] of Object.entries(payload)) {
		const members = cayenneMembers(key, value);
		for (const one of members) channels[one.name] = one.value;
		if (members.length === 0 && key !== 'history') others[key] = value;
	}
	return [
		...unknownFields(others, { isKnown: (key) => Object.hasOwn(table, key) || isPartKey(key), nested: true }),
		...unknownFields(channels, { isKnown: (key) => Object.hasOwn(lpp, key) }),
	];
}

const SAMPLE_CHARS = 40;

/** The same of an uplink; its bytes, if the network server has not decoded them. */
export function unknownInUplink(
	uplink: unknown,
	decodedKey: string,
	rawKey: 'frm_payload' | 'data',
	vocabulary: Vocabulary,
): UnknownField[] {
	const decoded = member(uplink, decodedKey);
	const raw = textMember(uplink, rawKey);
	if (raw === undefined || (isObject(decoded) && Object.keys(decoded).length > 0))
		return unknownInPayload(decoded, vocabulary);
	return [{ key: rawKey, kind: 'bytes', sample: raw.slice(0, SAMPLE_CHARS) }];
}
