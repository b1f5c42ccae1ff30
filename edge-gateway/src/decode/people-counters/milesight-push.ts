/** The push of Milesight's people counters over HTTP and MQTT. */
import type { Candidate, Decoded } from '../message/candidate.ts';
import { sensorIdFrom } from '../vendor/sensor-id.ts';
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

/** Not measures of the room: who, when, and lists that are read or left out as a whole. */
const NO_COUNTS = new Set(['device_info', 'time_info', 'line_periodic_data', 'line', 'current_counted', 'max_counted']);
/** What says the same crossings once more. It matters only in a push of which nothing else is read. */
const SAID_AGAIN = ['line_trigger_data', 'line_total_data'];

/**
 * The device is `{serial number}`; its lines and regions are sensors `{serial number}.line_1`, `….region_1`. A rule may
 * rename what is counted apart in a line by both keys, such as `children/in`.
 */
export function readMilesightPush(body: JsonObject, vocabulary: Vocabulary): ReadPush {
	const serial = textMember(member(body, 'device_info'), 'device_sn')!;
	const shared = endOfPeriod(member(body, 'time_info'));
	const [room, ofLine] = [vocabulary.table(MILESIGHT_ROOM), vocabulary.table(MILESIGHT_LINE)];
	const lines = linesIn(member(body, 'line_periodic_data'));
	const readings = [
		...candidatesOf(body, room, { sensorId: sensorIdFrom(serial), ...shared }),
		...lines.flatMap(({ number, counts }) =>
			candidatesOf(counts, ofLine, { sensorId: partOf(serial, `line_${number}`), ...shared }),
		),
		...regionReadings(body, serial, shared),
	];
	const isLeftOut = (key: string) => NO_COUNTS.has(key) || (readings.length > 0 && SAID_AGAIN.includes(key));
	const unknown = [
		...unknownFields(body, { isKnown: (key) => isLeftOut(key) || Object.hasOwn(room, key), nested: true }),
		...lines.flatMap(({ counts }) => unknownFields(counts, { isKnown: (key) => Object.hasOwn(ofLine, key) })),
	];
	return { readings, unknown };
}

/**
 * `[{line: 1, total: {in, out}, children: {in, out}}]`, each as `{in, out, "children/in": …}`; older firmware has `in`
 * and `out` beside `line`.
 */
function linesIn(lines: unknown): { number: number | string; counts: JsonObject }[] {
	return (Array.isArray(lines) ? lines : [lines]).flatMap((line: unknown) => {
		const number = member(line, 'line');
		if (typeof number !== 'number' && typeof number !== 'string') return [];
		const counts: JsonObject = {};
		for (const [key, value] of Object.entries(line as JsonObject)) {
			if (key === 'line' || key === 'total') continue;
			if (isObject(value)) for (const [inner, one] of Object.entries(value)) counts[`${key}/${inner}`] = one;
			else counts[key] = value;
		}
		return [
			{ number, counts: { ...counts, ...(isObject(member(line, 'total')) && (member(line, 'total') as JsonObject)) } },
		];
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
