/** Finds what looks like a measure among the keys of a message that its format does not read. */
import type { Message } from '../message/decoder.ts';
import type { UnknownField } from '../message/unknown-field.ts';
import { isObject, type JsonObject, member } from './vendor-table.ts';

/** What a search of a payload goes by. */
export interface UnknownSearch {
	/** Whether a key is read, or understood and left out. */
	isKnown(key: string): boolean;
	/** Whether objects in the payload, also those in lists, are searched, too; their keys are joined by a dot. */
	nested?: boolean;
}

/** More of one message are not reported. */
const MAX_FIELDS = 32;
const MAX_KEY_CHARS = 64;
/** Objects within objects are searched so deep. */
const MAX_DEPTH = 5;

/**
 * Keys that say something about the transmission, the device or its settings, in any spelling: the radio, counters and
 * ids, times, versions, intervals, calibrations, lights of the device.
 */
const NO_MEASURE = new RegExp(
	`^(?:${[
		'link_?quality|lqi|rssi|snr|lora.*|freq|frequency|.*channel.*|f_?port|f_?cnt|port|confirmed|dev_?addr',
		'seq(uence)?(_?(no|number))?|.*count_alarm|message_?(id|type)|msg.*|type|kind|model|node|device|endpoint',
		'.*_?id|.*eui|mac|ip|sn|serial.*|bytes|raw|payload',
		'.*version|hardware.*|firmware.*|software.*|protocol.*|ver|hw|fw|sw',
		'.*time(stamp)?|.*_at|time.*|ts|epoch|date.*|last_?(seen|update.*)|up_?time|age|year|month|day|hour|minute|second',
		'.*interval.*|.*calibration.*|.*_?offset|.*precision|.*threshold.*|.*sensitivity.*|.*_?delay|.*timeout|.*limit',
		'alarm_.*|update.*|.*_mode|mode|child_?lock|(.*_)?leds?(_.*)?|indicator.*|power_on.*|reset_?event|device_status',
		'on_off_.*|config.*|.*_enable|.*status_code|error.*|err|fault.*|.*schedule.*|language|brightness_level|effect',
		'colou?r.*|lat(itude)?|lon(g|gitude)?|alt(itude)?|region|.*_name|name',
	].join('|')})$`,
	'i',
);
/**
 * Calculated from other values, or running totals and extremes of what is read. They matter only in a message of which
 * nothing else is read.
 */
const BESIDE = new RegExp(
	'^(?:e_?co2|dew_?point|sea_?pressure|heat_?index|abs.*humidity|(?:.*_)?total_(?:in|out)|(?:.*_)?(?:max|min|peak)|' +
		'region_count|region_\\d+)$',
	'i',
);
const NUMBER = /^[+-]?\d+(?:[.,]\d+)?(?:\s?[^\s\d]{1,8})?$/;
const STATES = new Set([
	...['on', 'off', 'open', 'opened', 'closed', 'close', 'true', 'false', 'yes', 'no', 'detected', 'clear', 'motion'],
	...['occupied', 'vacant', 'normal', 'alarm', 'wet', 'dry', 'leak'],
]);

/** Whether a key may be one of a measure, rather than of the transmission, the device or its settings. */
export const isMeasureKey = (key: string): boolean =>
	key !== '' && key.length <= MAX_KEY_CHARS && !NO_MEASURE.test(key);

/** The keys of a payload that look like measures and are not known. */
export function unknownFields(payload: unknown, search: UnknownSearch): UnknownField[] {
	const found = new Map<string, UnknownField>();
	collect(payload, search, [], found);
	return [...found.values()];
}

function collect(payload: unknown, search: UnknownSearch, within: string[], found: Map<string, UnknownField>): void {
	if (!isObject(payload) || within.length >= MAX_DEPTH) return;
	for (const [key, value] of Object.entries(payload)) {
		if (found.size >= MAX_FIELDS) return;
		if (search.isKnown(key) || !isMeasureKey(key)) continue;
		const whole = [...within, key].join('.');
		const quantity = quantityOf(value);
		const field = { key: whole, ...(within.length > 0 && { kind: 'nested' as const }) };
		if (isMeasure(value)) found.set(whole, { ...field, sample: value });
		else if (quantity) found.set(whole, { ...field, ...quantity });
		else if (search.nested)
			for (const one of Array.isArray(value) ? value.slice(0, MAX_FIELDS) : [value])
				collect(one, search, [...within, key], found);
	}
}

/**
 * Has a message tell of unknown keys. Of one with readings those are left out that only go along with others.
 */
export function noteUnknown({ unknown }: Message, fields: readonly UnknownField[], hasReadings: boolean): void {
	unknown?.push(...fields.filter(({ key }) => !hasReadings || !BESIDE.test(key)).slice(0, MAX_FIELDS - unknown.length));
}

/** A number, or a text or truth value that stands for one or for a state. */
function isMeasure(value: unknown): value is number | string | boolean {
	if (typeof value === 'number') return Number.isFinite(value);
	if (typeof value === 'boolean') return true;
	return typeof value === 'string' && value.length <= 32 && (NUMBER.test(value) || STATES.has(value.toLowerCase()));
}

/** `{value, unit}`, as several vendors write a value. */
function quantityOf(one: unknown): Omit<UnknownField, 'key'> | undefined {
	const value = member(one, 'value');
	if (!isMeasure(value)) return undefined;
	const unit = (one as JsonObject).unit;
	return { sample: value, ...(typeof unit === 'string' && unit !== '' && unit.length <= 32 && { unit }) };
}
