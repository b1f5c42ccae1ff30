/** The push of Vivotek's counting cameras. */
import type { Decoded } from '../message/candidate.ts';
import {
	candidatesOf,
	isObject,
	type JsonObject,
	member,
	partOf,
	textMember,
	type VendorTable,
} from '../vendor/vendor-table.ts';

/**
 * Counts in the HTTP push of Vivotek's counting cameras ("SC8131 User's Manual", counting report in JSON, read
 * 2026-11-30): crossings of a rule between `StartTime` and `EndTime`.
 */
export const VIVOTEK: VendorTable = { In: { metric: 'peopleIn' }, Out: { metric: 'peopleOut' } };

export function isVivotek(body: JsonObject): boolean {
	return textMember(member(body, 'Source'), 'MacAddress') !== undefined && Array.isArray(member(body, 'Data'));
}

/** Each counting rule is a sensor `{MAC address without colons}.{rule}`. */
export function vivotekReadings(body: JsonObject): Decoded[] {
	const mac = textMember(member(body, 'Source'), 'MacAddress')!.replaceAll(':', '').toLowerCase();
	return (member(body, 'Data') as unknown[]).flatMap((data) => {
		const counting = member(data, 'CountingInfo');
		if (!Array.isArray(counting)) return [];
		return counting.filter(isObject).flatMap((rule) => {
			const end = textMember(rule, 'EndTime');
			const sensorId = partOf(mac, textMember(rule, 'RuleName') ?? '1');
			return candidatesOf(rule, VIVOTEK, { sensorId, ...(end !== undefined && { observedAt: end }) });
		});
	});
}
