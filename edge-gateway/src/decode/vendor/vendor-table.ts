/** What the decoders of vendor formats share: tables of keys, and access to members of received objects. */
import { escapeKey } from '@crowdvision/contracts';
import { type Candidate, type Decoded, DecodeError } from '../message/candidate.ts';
import type { Message } from '../message/decoder.ts';
import { parseJson } from '../message/json.ts';
import { isNoValue, numberIn } from '../message/number.ts';
import { sensorIdFrom } from './sensor-id.ts';

/** The metric that a vendor's key holds. */
export interface VendorMetric {
	metric: string;
	/** The vendor's unit, if it is not the catalog's. */
	unit?: string;
	/** The vendor's number is multiplied by this, then `offset` is added. */
	scale?: number;
	offset?: number;
	/** The numbers for values that are texts or booleans, such as `{ON: 1, OFF: 0}`. */
	values?: Readonly<Record<string, number>>;
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
 * One candidate for each key of the table that `values` has, with the members of `shared`. A text that is a number is
 * that number. What is neither a number nor a word for "no value" is kept as it is, so that it is refused by name. A
 * member without a value (null, `nan`, `unavailable`) gives a candidate without one, unless another key of the same
 * metric has it. `{"value": 22.1, "unit": "°C"}` is a value that names its own unit; other objects are left out, as
 * they hold values of another kind.
 */
export function candidatesOf(values: unknown, table: VendorTable, shared: Candidate): Decoded[] {
	const found = new Map<string, Decoded>();
	for (const [key, entry] of Object.entries(table)) {
		const whole = member(values, key);
		const quantity = isObject(whole) && Object.hasOwn(whole, 'value') ? whole : undefined;
		const sent = quantity ? quantity.value : whole;
		if (sent === undefined || isObject(sent)) continue;
		const { metric } = entry;
		const known = found.get(metric);
		if (known && typeof known.candidate.value === 'number') continue;
		const { value, unit } = vendorValue(sent, quantity ? inUnitOf(quantity, entry) : entry);
		if (known && typeof value !== 'number') continue;
		const candidate = { ...shared, metric, value, ...(unit !== undefined && { unit }) };
		found.set(metric, { candidate, index: 0, path: `/${escapeKey(key)}` });
	}
	return [...found.values()];
}

/** The entry for a value that names its own unit. */
function inUnitOf(quantity: JsonObject, entry: VendorMetric): VendorMetric {
	const unit = textMember(quantity, 'unit');
	return unit === undefined ? entry : { ...entry, unit };
}

/** Enough for any sensor; takes away the noise of a multiplication (0.1 * 3). */
const SCALED_DECIMALS = 1e6;

/** The number that a vendor's value stands for, with its unit; null for no value; else the value as it was sent. */
export function vendorValue(sent: unknown, entry: VendorMetric): { value: unknown; unit?: string | undefined } {
	const { values, unit } = entry;
	if (typeof sent === 'number') return Number.isFinite(sent) ? { value: scaled(sent, entry), unit } : { value: null };
	if (values && (typeof sent === 'string' || typeof sent === 'boolean')) {
		const key = String(sent);
		if (Object.hasOwn(values, key)) return { value: values[key], unit };
	}
	if (isNoValue(sent)) return { value: null };
	const measured = typeof sent === 'string' ? numberIn(sent) : undefined;
	if (!measured) return { value: sent };
	return measured.unit === undefined ? { value: scaled(measured.value, entry), unit } : measured;
}

function scaled(value: number, { scale = 1, offset = 0 }: VendorMetric): number {
	return scale === 1 && offset === 0 ? value : Math.round((value * scale + offset) * SCALED_DECIMALS) / SCALED_DECIMALS;
}

/** Parses a payload that must be a JSON object. @throws DecodeError, CrowdVisionError `not_json` */
export function jsonObject({ raw }: Message): JsonObject {
	const value = parseJson(raw);
	if (!isObject(value)) throw DecodeError.unreadable('must be a JSON object');
	return value;
}

/**
 * The sensor id of a device that is named by its topic: the levels that the wildcards of the rule's filter match, else
 * the whole topic. Undefined for a message over HTTP, whose rule or token names the sensor.
 * @throws DecodeError
 */
export function deviceName({ name, source }: Message): string | undefined {
	if (name === undefined && source.startsWith('POST ')) return undefined;
	return sensorIdFrom(name ?? source);
}

/** The id of a part of a device; without a device, the sender's or the rule's sensor is meant. */
export function partOf(device: string | undefined, part: string): string | undefined {
	return device === undefined ? undefined : sensorIdFrom(device, part);
}
