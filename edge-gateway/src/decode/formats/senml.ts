/** The decoder of SenML (RFC 8428), as JSON and as CBOR. */
import type { MetricKey } from '@crowdvision/contracts';
import { type Candidate, type Decoded, DecodeError, refusedPart } from '../message/candidate.ts';
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { parseJson } from '../message/json.ts';
import { sensorIdOf } from '../vendor/sensor-id.ts';
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
 * (`…:temperature`), that is its metric and the rest of the name is the sensor. Otherwise the unit decides the metric,
 * if only one is measured in it, and the whole name is the sensor. Texts, booleans, data (`vs`, `vb`, `vd`) and sums
 * (`s`) are left out, as no metric of the catalog is one. A mistake in a record costs that record.
 * @throws DecodeError, CrowdVisionError `not_json`
 */
export function decodeSenml({ raw, receivedAt }: Message, vocabulary: Vocabulary = BUILT_IN): Decoding {
	const pack = isCbor(raw) ? fromCbor(readCbor(raw, true)) : parseJson(raw);
	if (!Array.isArray(pack)) throw DecodeError.unreadable('must be a SenML pack: an array of records');
	if (pack.length === 0) throw DecodeError.unreadable('must hold at least one record');
	const records = resolveSenml(pack, receivedAt);
	const readings = records.flatMap((record, index) =>
		record instanceof DecodeError ? [] : readingOf(record, index, vocabulary),
	);
	const mistakes = records.filter((record) => record instanceof DecodeError);
	if (readings.length === 0 && mistakes[0]) throw mistakes[0];
	return orNoMetric([...readings, ...mistakes.map(refusedPart)]);
}

function readingOf(record: ResolvedRecord, index: number, vocabulary: Vocabulary): Decoded[] {
	const { name, unit, value, time } = record;
	if (value === undefined) return [];
	const [, before, last] = LAST_PART.exec(name) ?? [];
	const named = vocabulary.metricNamed(last ?? '');
	const metric =
		named ?? (unit !== undefined && Object.hasOwn(METRIC_OF_UNIT, unit) ? METRIC_OF_UNIT[unit] : undefined);
	if (metric === undefined) return [];
	const candidate: Candidate = { metric, value, ...(time !== undefined && { observedAt: time }) };
	const sensor = named === undefined ? name : before;
	if (sensor) candidate.sensorId = sensorIdOf(sensor);
	if (unit !== undefined) candidate.unit = Object.hasOwn(CATALOG_UNITS, unit) ? CATALOG_UNITS[unit] : unit;
	return [{ candidate, index, path: '/v' }];
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
