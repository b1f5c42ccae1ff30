import { METRIC_KEYS, type MetricKey } from '@crowdvision/contracts';
import { type Candidate, type Decoded, DecodeError } from '../message/candidate.ts';
import { type Decoding, type Message, orNoMetric } from '../message/decoder.ts';
import { parseJson } from '../message/json.ts';
import { readCbor } from './cbor.ts';
import { type Resolved, resolveSenml, type SenmlRecord } from './senml-records.ts';
import { sensorIdOf } from './sensor-id.ts';

/** Units (RFC 8428 section 12.1, RFC 8798) that only one metric of the catalog is measured in. */
const METRIC_OF_UNIT: Readonly<Record<string, MetricKey>> = {
	Cel: 'temperature',
	K: 'temperature',
	'%RH': 'humidity',
	'%EL': 'battery',
	lx: 'illuminance',
	Pa: 'pressure',
	hPa: 'pressure',
};
/** What the catalog calls the units that SenML has another word for. */
const CATALOG_UNITS: Readonly<Record<string, string>> = { '%RH': '%', '%EL': '%', count: 'person' };
const METRIC_OF_NAME = new Map(METRIC_KEYS.map((key) => [key.toLowerCase(), key]));
/** The last part of a name, and what separates it. */
const LAST_PART = /^(?:(.*)[/:._-])?([^/:._-]+)$/;

/** Labels of CBOR maps (RFC 8428 section 4.3, table 1). */
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
/** An array of CBOR (major type 4). JSON cannot begin so. */
const isCbor = (raw: Buffer) => raw.length > 0 && raw[0]! >> 5 === 4;

/**
 * SenML (RFC 8428), JSON or CBOR: which of them, the first byte tells. A record whose name ends in a metric's name
 * (`…:temperature`) is that metric of the sensor named before it; else its unit tells the metric, where only one is
 * measured in it, and the whole name is the sensor. Texts, booleans and data (`vs`, `vb`, `vd`) are no readings and are
 * left out, and so are sums (`s`), which no metric of the catalog is.
 */
export function decodeSenml({ raw, receivedAt }: Message): Decoding {
	const pack = isCbor(raw) ? fromCbor(readCbor(raw, true)) : parseJson(raw);
	if (!Array.isArray(pack)) throw DecodeError.unreadable('must be a SenML pack: an array of records');
	if (pack.length === 0) throw DecodeError.unreadable('must hold at least one record');
	return orNoMetric(resolveSenml(pack, receivedAt).flatMap((record, index) => readingOf(record, index)));
}

function readingOf(record: Resolved, index: number): Decoded[] {
	const { name, unit, value, time } = record;
	if (value === undefined) return [];
	const [, before, last] = LAST_PART.exec(name) ?? [];
	const named = METRIC_OF_NAME.get((last ?? '').toLowerCase());
	const metric =
		named ?? (unit !== undefined && Object.hasOwn(METRIC_OF_UNIT, unit) ? METRIC_OF_UNIT[unit] : undefined);
	if (metric === undefined) return [];
	const candidate: Candidate = { metric, value, ...(time !== undefined && { observedAt: time }) };
	const sensor = named === undefined ? name : before;
	if (sensor) candidate.sensorId = sensorIdOf(sensor);
	if (unit !== undefined) candidate.unit = Object.hasOwn(CATALOG_UNITS, unit) ? CATALOG_UNITS[unit] : unit;
	return [{ candidate, index }];
}

/** The same records with the labels of JSON. */
function fromCbor(pack: unknown): unknown {
	if (!Array.isArray(pack)) return pack;
	return pack.map((record, index): SenmlRecord => {
		if (!(record instanceof Map)) throw new DecodeError({ path: '', message: 'must be a SenML record: a map' }, index);
		const labelled: SenmlRecord = Object.create(null);
		for (const [label, value] of record) labelled[CBOR_LABELS.get(label) ?? String(label)] = value;
		return labelled;
	});
}
