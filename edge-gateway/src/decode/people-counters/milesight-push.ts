/** The push of Milesight's people counters over HTTP and MQTT. */
import type { Candidate, Decoded } from '../message/candidate.ts';
import { sensorIdFrom } from '../vendor/sensor-id.ts';
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
 * Counts in the HTTP and MQTT push of Milesight's people counters VS125, VS133-P, VS135 and VS121-P ("Communication
 * Protocol" of the user guides, read 2026-11-30). `line_trigger_data` says each crossing at once and
 * `line_periodic_data` says the same crossings again at the end of the period: only the second is counted.
 * `line_total_data` is a running total.
 */
export const MILESIGHT_LINE: VendorTable = { in: { metric: 'peopleIn' }, out: { metric: 'peopleOut' } };
export const MILESIGHT_ROOM: VendorTable = { current_total: { metric: 'peopleCount' } };

const UTC_OFFSET = /^UTC([+-])(\d{1,2}):?(\d\d)/;
const LOCAL_TIME = /^(\d{4})[/-](\d\d)[/-](\d\d)[ T](\d\d:\d\d:\d\d)$/;

export function isMilesightPush(body: JsonObject): boolean {
	return textMember(member(body, 'device_info'), 'device_sn') !== undefined;
}

/** The device is `{serial number}`; its lines and regions are sensors `{serial number}.line_1`, `….region_1`. */
export function milesightPushReadings(body: JsonObject): Decoded[] {
	const serial = textMember(member(body, 'device_info'), 'device_sn')!;
	const shared = endOfPeriod(member(body, 'time_info'));
	return [
		...candidatesOf(body, MILESIGHT_ROOM, { sensorId: sensorIdFrom(serial), ...shared }),
		...lineReadings(member(body, 'line_periodic_data'), serial, shared),
		...regionReadings(body, serial, shared),
	];
}

/** `[{line: 1, total: {in, out}}]`; older firmware has `in` and `out` beside `line`. */
function lineReadings(lines: unknown, serial: string, shared: Candidate): Decoded[] {
	if (!Array.isArray(lines)) return [];
	return lines.flatMap((line: unknown) => {
		const number = member(line, 'line');
		if (typeof number !== 'number') return [];
		const total = member(line, 'total');
		const sensorId = partOf(serial, `line_${number}`);
		return candidatesOf(isObject(total) ? total : line, MILESIGHT_LINE, { sensorId, ...shared });
	});
}

/** `current_counted` and the regions it is of, `numbering_regions`, are two parallel lists. */
function regionReadings(body: JsonObject, serial: string, shared: Candidate): Decoded[] {
	const counts = member(body, 'current_counted');
	const regions = member(body, 'numbering_regions');
	if (!Array.isArray(counts) || !Array.isArray(regions) || counts.length !== regions.length) return [];
	return counts.flatMap((count: unknown, at) =>
		candidatesOf({ current_total: count }, MILESIGHT_ROOM, {
			sensorId: partOf(serial, `region_${String(regions[at])}`),
			...shared,
		}),
	);
}

/**
 * The end of the reported period, which is local time beside its offset from UTC. Left out in summer time, as devices
 * differ in whether the offset includes it.
 */
function endOfPeriod(info: unknown): Candidate {
	const end = textMember(info, 'end_time');
	const zone = textMember(info, 'time_zone') ?? textMember(info, 'timezone') ?? '';
	const summer = member(info, 'dst_status');
	const [, sign, hours, minutes] = UTC_OFFSET.exec(zone) ?? [];
	const [, year, month, day, time] = LOCAL_TIME.exec(end ?? '') ?? [];
	if (time === undefined || sign === undefined || (summer !== undefined && summer !== false && summer !== 0)) return {};
	return { observedAt: `${year}-${month}-${day}T${time}${sign}${hours!.padStart(2, '0')}:${minutes}` };
}
