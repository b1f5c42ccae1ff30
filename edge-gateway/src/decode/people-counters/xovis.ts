/** The push of Xovis' people counters. */
import type { Candidate, Decoded } from '../message/candidate.ts';
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
 * Counts of Xovis' data push, format JSON 5.x, package type Logics (the sensor's API documentation and public clients
 * of it, read 2026-11-30). A line counts who crosses it forwards (`fw`: in) and backwards (`bw`: out) since the record
 * before; a zone counts who is in it.
 */
export const XOVIS_LINE: VendorTable = { fw: { metric: 'peopleIn' }, bw: { metric: 'peopleOut' } };
export const XOVIS_ZONE: VendorTable = {
	balance: { metric: 'peopleCount' },
	occupancy: { metric: 'peopleCount' },
	count: { metric: 'peopleCount' },
};

/** Logics that count people. Others count groups, bicycles, prams, wheelchairs, trolleys, or waiting times. */
const LINE = /^XLT_(4X_)?LINE_(IN_OUT|LATE)_COUNT$/;
const ZONE = /^XLT_(ZONE_OCCUPANCY|4X_ZONE)_COUNT$/;

export function isXovis(body: JsonObject): boolean {
	return isObject(member(body, 'logics_data'));
}

/** Each logic of the sensor is a sensor `{serial number}.{logic's id}`. */
export function xovisReadings(body: JsonObject): Decoded[] {
	const data = member(body, 'logics_data');
	const info = member(data, 'sensor_info');
	const serial = textMember(info, 'serial_number') ?? textMember(info, 'mac_address');
	const logics = member(data, 'logics');
	if (!Array.isArray(logics)) return [];
	return logics.flatMap((logic: unknown) => {
		const kind = textMember(logic, 'info') ?? '';
		const table = LINE.test(kind) ? XOVIS_LINE : ZONE.test(kind) ? XOVIS_ZONE : undefined;
		const id = member(logic, 'id');
		if (!table || (typeof id !== 'number' && typeof id !== 'string')) return [];
		const sensorId = partOf(serial, String(id));
		return recordsOf(logic).flatMap((record) => candidatesOf(countsOf(record), table, { sensorId, ...timeOf(record) }));
	});
}

/** The records of a logic: a push may hold several minutes. Older firmware has the counts in the logic itself. */
function recordsOf(logic: unknown): unknown[] {
	const records = member(logic, 'records');
	return Array.isArray(records) ? records : [logic];
}

/** `[{id, name, value}]` as values by name; the name may be the vendor's own (`fw`) or upper case. */
function countsOf(record: unknown): JsonObject {
	const counts = member(record, 'counts');
	if (!Array.isArray(counts)) return {};
	const named = counts.flatMap((count: unknown) => {
		const name = textMember(count, 'name');
		return name === undefined ? [] : [[name.toLowerCase(), member(count, 'value')] as const];
	});
	return Object.fromEntries(named);
}

/** The end of the record's interval, epoch ms or ISO 8601 as the push is configured. */
function timeOf(record: unknown): Candidate {
	const to = member(record, 'to');
	return typeof to === 'number' || (typeof to === 'string' && to !== '') ? { observedAt: to } : {};
}
