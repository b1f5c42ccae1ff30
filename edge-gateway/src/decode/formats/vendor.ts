import type { MetricKey } from '@crowdvision/contracts';
import { type Candidate, type Decoded, DecodeError } from '../message/candidate.ts';
import type { Message } from '../message/decoder.ts';
import { parseJson } from '../message/json.ts';
import { sensorIdFrom } from './sensor-id.ts';

/** What a vendor's key means. */
export interface VendorMetric {
	metric: MetricKey;
	/** The unit the vendor measures in, where it is not the catalog's. */
	unit?: string;
}

/** A vendor's keys and what they mean. Of several keys for one metric, the first that is there counts. */
export type VendorTable = Readonly<Record<string, VendorMetric>>;

export type JsonObject = Record<string, unknown>;

/** A member of an object that came from outside, never an inherited one. */
export function member(value: unknown, key: string): unknown {
	return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
		? (value as JsonObject)[key]
		: undefined;
}

export function isObject(value: unknown): value is JsonObject {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member that is a text and not empty. */
export function textMember(value: unknown, key: string): string | undefined {
	const text = member(value, key);
	return typeof text === 'string' && text !== '' ? text : undefined;
}

/**
 * One candidate for each key of the table that `values` holds as a number. Everything else is left out: keys nobody
 * knows, null (which vendors send for "not measured"), texts, and booleans: that somebody is there is not how many are.
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

/** A payload that must be a JSON object. @throws DecodeError, CrowdVisionError `not_json` */
export function jsonObject({ raw }: Message): JsonObject {
	const value = parseJson(raw);
	if (!isObject(value)) throw DecodeError.unreadable('must be a JSON object');
	return value;
}

/**
 * The sensor of a device whose name stands in the topic: where the rule's filter has wildcards, what they stand for;
 * else the whole topic.
 */
export function deviceName({ name, source }: Message): string {
	return sensorIdFrom(name ?? source);
}
