/** The decoder of SenML (RFC 8428), as JSON and as CBOR. */
import type { MetricKey } from '@crowdvision/contracts';
import { type Candidate, type Decoded, DecodeError, refusedPart } from '../message/candidate.ts';
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { parseJson } from '../message/json.ts';
import type { UnknownField } from '../message/unknown-field.ts';
import { isDevicePart, isElectronics, isNotOfRoom } from '../vendor/own-temperature.ts';
import { sensorIdOf } from '../vendor/sensor-id.ts';
import { noteUnknown, unknownFields } from '../vendor/unknown-fields.ts';
import { type VendorMetric, vendorValue } from '../vendor/vendor-table.ts';
import { BUILT_IN, type Vocabulary } from '../vendor/vocabulary.ts';
import { readCbor } from './cbor.ts';
import { type ResolvedRecord, resolveSenml, type SenmlRecord } from './senml-records.ts';

/** Units (RFC 8428 section 12.1, RFC 8798) in which only one metric of the catalog is measured. */
const METRIC_OF_UNIT: Readonly<Record<string, MetricKey>> = {
	Cel: 'temperature',
	K: 'temperature',
	'%RH': 'humidity',
	'%EL': 'battery',
	lx: 'illuminance',
	Pa: 'pressure',
	hPa: 'pressure',
};
/** The catalog's name for units that SenML names differently. */
const CATALOG_UNITS: Readonly<Record<string, string>> = { '%RH': '%', '%EL': '%', count: 'person' };
/** Splits a name before its last part. */
const LAST_PART = /^(?:(.*)[/:._-])?([^/:._-]+)$/;
/** Between the levels of a name. */
const LEVELS = /[/:._-]/;

/** The JSON label of each label in a CBOR map (RFC 8428 section 4.3, table 1). */
const CBOR_LABELS: ReadonlyMap<unknown, string> = new Map<unknown, string>([
	[-1, 'bver'],
	[-2, 'bn'],
	[-3, 'bt'],
	[-4, 'bu'],
	[-5, 'bv'],
	[-6, 'bs'],
	[0, 'n'],
	[1, 'u'],
	[2, 'v'],
	[3, 'vs'],
	[4, 'vb'],
	[5, 's'],
	[6, 't'],
	[7, 'ut'],
	[8, 'vd'],
]);
/** Whether the payload is a CBOR array (major type 4). No JSON text starts with such a byte. */
const isCbor = (raw: Buffer) => raw.length > 0 && raw[0]! >> 5 === 4;

/**
 * Decodes SenML (RFC 8428) as JSON or CBOR, recognized by the first byte. If a record's name ends in a metric's key
 * (`…:temperature`), or in one that the rule renames, that is its metric and the rest of the name is the sensor.
 * Otherwise the unit decides the metric, if only one is measured in it, and the whole name is the sensor. The
 * temperature of a part of the device (`cpu:temperature`) is not the room's and left out, like data (`vd`) and sums
 * (`s`), as no metric of the catalog is one. A text or a truth value (`vs`, `vb`) is a reading where the name says of
 * which metric. A mistake in a record costs that record.
 * @throws DecodeError, CrowdVisionError `not_json`
 */
export function decodeSenml(message: Message, vocabulary: Vocabulary = BUILT_IN): Decoding {
	const { raw, receivedAt } = message;
	const pack = isCbor(raw) ? fromCbor(readCbor(raw, true)) : parseJson(raw);
	if (!Array.isArray(pack)) throw DecodeError.unreadable('must be a SenML pack: an array of records');
	if (pack.length === 0) throw DecodeError.unreadable('must hold at least one record');
	const records = resolveSenml(pack, receivedAt);
	const unknown: UnknownField[] = [];
	const readings = records.flatMap((record, index) => {
		if (record instanceof DecodeError) return [];
		const reading = readingOf(record, index, vocabulary);
		if (!reading) unknown.push(...unknownIn(record));
		return reading ?? [];
	});
	const mistakes = records.filter((record) => record instanceof DecodeError);
	const told = unknown.filter(({ key }) => readings.length === 0 || !key.split(LEVELS).some(isDevicePart));
	noteUnknown(message, told, readings.length > 0);
	if (readings.length === 0 && mistakes[0]) throw mistakes[0];
	return orNoMetric([...readings, ...mistakes.map(refusedPart)]);
}

/** The reading in a record; undefined if nothing says of which metric it is, or it holds none. */
function readingOf(record: ResolvedRecord, index: number, vocabulary: Vocabulary): Decoded | undefined {
	const { name, label, unit, value, other, time } = record;
	const [, before = '', last = ''] = LAST_PART.exec(name) ?? [];
	const isParts = isPartsOwn(before, last, label);
	const named = vocabulary.entryNamed(name, last, isParts);
	const entry = named ?? entryOfUnit(unit, isParts || isNotOfRoom(label));
	if (!entry || (value === undefined && (typeof other === 'number' || other === undefined || !named))) return undefined;
	const read = vendorValue(value === undefined ? other : value, entry);
	const unitName = read.unit ?? unit;
	const candidate: Candidate = {
		metric: entry.metric,
		value: read.value,
		...(time !== undefined && { observedAt: time }),
	};
	const sensor = named === undefined ? name : before;
	if (sensor) candidate.sensorId = sensorIdOf(sensor);
	if (unitName !== undefined)
		candidate.unit = Object.hasOwn(CATALOG_UNITS, unitName) ? CATALOG_UNITS[unitName] : unitName;
	return { candidate, index, path: value !== undefined ? '/v' : typeof other === 'string' ? '/vs' : '/vb' };
}

/** The metric that is measured in a unit, if it is only one and the record's name does not say that it is another. */
function entryOfUnit(unit: string | undefined, isNotRoom: boolean): VendorMetric | undefined {
	const metric = unit !== undefined && Object.hasOwn(METRIC_OF_UNIT, unit) ? METRIC_OF_UNIT[unit] : undefined;
	return metric === undefined || (metric === 'temperature' && isNotRoom) ? undefined : { metric };
}

/**
 * Whether a name means a part of the device. Of the base name, which names the device, only its last level counts, and
 * only what no device is called, so that one called `board-3` is none.
 */
function isPartsOwn(before: string, last: string, label: string): boolean {
	const levels = label.split(LEVELS).slice(0, -1);
	if (levels.length > 0) return levels.some(isDevicePart);
	return isElectronics(label === '' ? last : before.split(LEVELS).at(-1)!);
}

/** What looks like a measure in a record that is not read. */
function unknownIn({ name, unit, value, other }: ResolvedRecord): UnknownField[] {
	const [, before = '', last = ''] = LAST_PART.exec(name) ?? [];
	// A name that means a part of the device is told as a whole: `temperature` alone would mean the room's as well.
	const key = before.split(LEVELS).some(isDevicePart) ? name : last || name;
	const found = unknownFields({ [key]: value ?? other }, { isKnown: () => false });
	return unit === undefined ? found : found.map((field) => ({ ...field, unit }));
}

/** The records of a CBOR pack under their JSON labels. */
function fromCbor(pack: unknown): unknown {
	if (!Array.isArray(pack)) return pack;
	return pack.map((record, index): SenmlRecord => {
		if (!(record instanceof Map)) throw new DecodeError({ path: '', message: 'must be a SenML record: a map' }, index);
		const labelled: SenmlRecord = Object.create(null);
		for (const [label, value] of record) labelled[CBOR_LABELS.get(label) ?? String(label)] = value;
		return labelled;
	});
}
