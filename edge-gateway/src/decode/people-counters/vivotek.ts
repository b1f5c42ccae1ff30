/** The push of Vivotek's counting cameras. */
import { unknownFields } from '../vendor/unknown-fields.ts';
import {
	candidatesOf,
	isObject,
	type JsonObject,
	member,
	partOf,
	textMember,
	type VendorTable,
} from '../vendor/vendor-table.ts';
import type { Vocabulary } from '../vendor/vocabulary.ts';
import type { ReadPush } from './read-push.ts';

/**
 * Counts in the HTTP push of Vivotek's counting cameras ("SC8131 User's Manual", counting report in JSON, read
 * 2026-11-30): crossings of a rule between `StartTime` and `EndTime`.
 */
export const VIVOTEK: VendorTable = { In: { metric: 'peopleIn' }, Out: { metric: 'peopleOut' } };

export function isVivotek(body: JsonObject): boolean {
	return textMember(member(body, 'Source'), 'MacAddress') !== undefined && Array.isArray(member(body, 'Data'));
}

/** Each counting rule is a sensor `{MAC address without colons}.{rule}`. */
export function readVivotek(body: JsonObject, vocabulary: Vocabulary): ReadPush {
	const mac = textMember(member(body, 'Source'), 'MacAddress')!.replaceAll(':', '').toLowerCase();
	const table = vocabulary.table(VIVOTEK);
	const rules = (member(body, 'Data') as unknown[]).flatMap((data) => {
		const counting = member(data, 'CountingInfo');
		return Array.isArray(counting) ? counting.filter(isObject) : [];
	});
	const readings = rules.flatMap((rule) => {
		const end = textMember(rule, 'EndTime');
		const sensorId = partOf(mac, textMember(rule, 'RuleName') ?? '1');
		return candidatesOf(rule, table, { sensorId, ...(end !== undefined && { observedAt: end }) });
	});
	const isKnown = (key: string) => Object.hasOwn(table, key) || /Name$|Time$|^Rule/.test(key);
	return { readings, unknown: rules.flatMap((rule) => unknownFields(rule, { isKnown, nested: true })) };
}
