/** The push of Xovis' people counters. */
import type { Candidate } from '../message/candidate.ts';
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

/** Of logics that count no people. */
const NONE: VendorTable = {};

export function isXovis(body: JsonObject): boolean {
	return isObject(member(body, 'logics_data'));
}

/**
 * Each logic of the sensor is a sensor `{serial number}.{logic's id}`. A count of any logic may be renamed by
 * `{kind}/{name}`, such as `XLT_PRAM_LINE_IN_OUT_COUNT/fw`.
 */
export function readXovis(body: JsonObject, vocabulary: Vocabulary): ReadPush {
	const data = member(body, 'logics_data');
	const info = member(data, 'sensor_info');
	const serial = textMember(info, 'serial_number') ?? textMember(info, 'mac_address');
	const logics = member(data, 'logics');
	const tables = {
		line: vocabulary.table(XOVIS_LINE),
		zone: vocabulary.table(XOVIS_ZONE),
		none: vocabulary.table(NONE),
	};
	const push: ReadPush = { readings: [], unknown: [] };
	for (const logic of Array.isArray(logics) ? logics : []) {
		const kind = textMember(logic, 'info') ?? '';
		const isPeople = LINE.test(kind) || ZONE.test(kind);
		const table = LINE.test(kind) ? tables.line : ZONE.test(kind) ? tables.zone : tables.none;
		const id = member(logic, 'id');
		if (typeof id !== 'number' && typeof id !== 'string') continue;
		const sensorId = partOf(serial, String(id));
		for (const record of recordsOf(logic)) {
			const counts = countsOf(record, kind, isPeople, table);
			push.readings.push(...candidatesOf(counts, table, { sensorId, ...timeOf(record) }));
			push.unknown.push(...unknownFields(counts, { isKnown: (key) => Object.hasOwn(table, key) }));
		}
	}
	return push;
}

/** The records of a logic: a push may hold several minutes. Older firmware has the counts in the logic itself. */
function recordsOf(logic: unknown): unknown[] {
	const records = member(logic, 'records');
	return Array.isArray(records) ? records : [logic];
}

/**
 * `[{id, name, value}]` as values by name, which may be in upper case. With the kind of its logic before it stands a
 * count that the rule renames so, and one that is of no logic that counts people.
 */
function countsOf(record: unknown, kind: string, isPeople: boolean, table: VendorTable): JsonObject {
	const counts = member(record, 'counts');
	if (!Array.isArray(counts)) return {};
	const named = counts.flatMap((count: unknown) => {
		const sent = textMember(count, 'name');
		if (sent === undefined) return [];
		const name = Object.hasOwn(table, sent) ? sent : sent.toLowerCase();
		const whole = `${kind}/${name}`;
		const isWhole = kind !== '' && (Object.hasOwn(table, whole) || !isPeople);
		return [[isWhole ? whole : name, member(count, 'value')] as const];
	});
	return Object.fromEntries(named);
}

/** The end of the record's interval, epoch ms or ISO 8601 as the push is configured. */
function timeOf(record: unknown): Candidate {
	const to = member(record, 'to');
	return typeof to === 'number' || (typeof to === 'string' && to !== '') ? { observedAt: to } : {};
}
