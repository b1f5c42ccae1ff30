/** What the decoders of vendor formats share: tables of keys, and access to members of received objects. */
import type { MetricKey } from '@crowdvision/contracts';
import { type Candidate, type Decoded, DecodeError } from '../message/candidate.ts';
import type { Message } from '../message/decoder.ts';
import { parseJson } from '../message/json.ts';
import { sensorIdFrom } from './sensor-id.ts';

/** The metric that a vendor's key holds. */
export interface VendorMetric {
	metric: MetricKey;
	/** The vendor's unit, if it is not the catalog's. */
	unit?: string;
}

/**
 * The metric of each of a vendor's keys. If a message has several keys for one metric, the first in the table counts.
 */
export type VendorTable = Readonly<Record<string, VendorMetric>>;

/** A JSON object as received. */
export type JsonObject = Record<string, unknown>;

/** An own member of a received object; never an inherited one. */
export function member(value: unknown, key: string): unknown {
	return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
		? (value as JsonObject)[key]
		: undefined;
}

/** Whether a value is an object other than an array. */
export function isObject(value: unknown): value is JsonObject {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member that is a non-empty text, else undefined. */
export function textMember(value: unknown, key: string): string | undefined {
	const text = member(value, key);
	return typeof text === 'string' && text !== '' ? text : undefined;
}

/**
 * One candidate for each key of the table for which `values` holds a number, with the members of `shared`. Everything
 * else is left out: unknown keys, null (which vendors send for "not measured"), texts and booleans, which say whether
 * somebody is there but not how many.
 */
export function candidatesOf(values: unknown, table: VendorTable, shared: Candidate): Decoded[] {
	const found: Decoded[] = [];
	const seen = new Set<MetricKey>();
	for (const [key, { metric, unit }] of Object.entries(table)) {
		const value = member(values, key);
		if (typeof value !== 'number' || seen.has(metric)) continue;
		seen.add(metric);
		found.push({ candidate: { ...shared, metric, value, ...(unit !== undefined && { unit }) }, index: 0 });
	}
	return found;
}

/** Parses a payload that must be a JSON object. @throws DecodeError, CrowdVisionError `not_json` */
export function jsonObject({ raw }: Message): JsonObject {
	const value = parseJson(raw);
	if (!isObject(value)) throw DecodeError.unreadable('must be a JSON object');
	return value;
}

/**
 * The sensor id of a device that is named by its topic: the levels that the wildcards of the rule's filter match, else
 * the whole topic.
 * @throws DecodeError
 */
export function deviceName({ name, source }: Message): string {
	return sensorIdFrom(name ?? source);
}
