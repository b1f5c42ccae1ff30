import { BUILT_IN_METRICS, type MetricLookup, oneSpelling } from '@crowdvision/contracts';
import { type Candidate, type Decoded, DecodeError, type FrameContext, refusedPart } from '../message/candidate.ts';
import type { NoReading } from '../message/decoder.ts';
import { parseJson, textOf, withoutFraming } from '../message/json.ts';
import { isNoValue, numberIn } from '../message/number.ts';
import type { UnknownField } from '../message/unknown-field.ts';
import { sensorIdFrom } from '../vendor/sensor-id.ts';
import { unknownFields } from '../vendor/unknown-fields.ts';
import { isObject } from '../vendor/vendor-table.ts';

/**
 * Decodes the gateway's own format (docs/wire-protocol.md): a reading, an array of readings, the short form in which
 * the metric's key holds the value, or a bare number if the topic names the metric. Members of the short form without a
 * value are left out.
 * @throws DecodeError
 */
export function decodeCanonical(
	value: unknown,
	context: FrameContext,
	metrics: MetricLookup = BUILT_IN_METRICS,
): Decoded[] | NoReading {
	if (!Array.isArray(value)) return orNoValue(decodeOne(value, context, 0, metrics));
	if (value.length === 0) throw new DecodeError({ path: '', message: 'must hold at least one reading' }, 0);
	return orNoValue(value.flatMap((item, index) => decodeOne(item, context, index, metrics).map(ofArray)));
}

/** A frame in the gateway's own format, without a decoder's rule. */
interface CanonicalFrame {
	raw: Buffer;
	parsed?: unknown;
	context: FrameContext;
	/** Of an array what is sound is taken. */
	partial?: boolean;
}

/**
 * The parsed payload of a frame. Where the topic names the metric, a payload that is no JSON is a text. @throws
 * CrowdVisionError `not_json`
 */
export function parsePayload({ raw, context }: CanonicalFrame): unknown {
	try {
		return parseJson(raw);
	} catch (error) {
		if (context.metric === undefined) throw error;
		const text = textOf(withoutFraming(raw)).trim();
		if (isNoValue(text)) return null;
		const measured = numberIn(text);
		if (!measured) throw error;
		return measured.unit === undefined ? measured.value : measured;
	}
}

/** Decodes a parsed frame. @throws DecodeError */
export function decodeFrame(
	{ parsed, context, partial }: CanonicalFrame,
	metrics: MetricLookup,
): Decoded[] | NoReading {
	return partial && Array.isArray(parsed) && parsed.length > 0
		? decodePartially(parsed, context, metrics)
		: decodeCanonical(parsed, context, metrics);
}

/** As `decodeCanonical` of an array, but an item that is no reading does not keep the others from being decoded. */
function decodePartially(
	items: readonly unknown[],
	context: FrameContext,
	metrics: MetricLookup,
): Decoded[] | NoReading {
	return orNoValue(
		items.flatMap((item, index) => {
			try {
				return decodeOne(item, context, index, metrics);
			} catch (error) {
				if (!(error instanceof DecodeError)) throw error;
				return [refusedPart(error)];
			}
		}),
	);
}

const orNoValue = (decoded: Decoded[]): Decoded[] | NoReading => (decoded.length > 0 ? decoded : 'no_value');
const ofArray = (decoded: Decoded): Decoded => ({ ...decoded, whole: true });

/** Fast path for one reading in full; undefined if `value` is anything else. @throws DecodeError */
export function decodeReading(value: unknown, context: FrameContext): Candidate | undefined {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
	const candidate = value as Candidate;
	return candidate.metric !== undefined || candidate.value !== undefined
		? withContext(candidate, context, 0)
		: undefined;
}

function decodeOne(value: unknown, context: FrameContext, index: number, metrics: MetricLookup): Decoded[] {
	if (context.metric !== undefined && (typeof value !== 'object' || value === null)) {
		if (isNoValue(value)) return [];
		const { value: number, unit } = typeof value === 'string' ? (numberIn(value) ?? { value }) : { value };
		if (typeof number === 'number')
			return [
				{ candidate: withContext({ value: number, ...(unit !== undefined && { unit }) }, context, index), index },
			];
	}
	if (typeof value !== 'object' || value === null || Array.isArray(value)) {
		throw new DecodeError(
			{ path: '', message: context.metric ? 'must be a number or a reading' : 'must be a reading: a JSON object' },
			index,
		);
	}
	const candidate = value as Candidate;
	if (candidate.metric !== undefined || candidate.value !== undefined)
		return [{ candidate: withContext(candidate, context, index), index }];
	return decodeShortForm(candidate, context, index, metrics);
}

const CONTEXT_KEYS = ['sensorId', 'metric', 'buildingId', 'roomId'] as const;

/** Whether a payload and a topic name the same, however each writes its letters. */
const isSame = (stated: unknown, given: string) =>
	stated === given || (typeof stated === 'string' && oneSpelling(stated) === oneSpelling(given));

/** Adds what the topic or port names. @throws DecodeError if the candidate contradicts it. */
export function withContext(candidate: Candidate, context: FrameContext, index: number): Candidate {
	let merged = candidate;
	for (const key of CONTEXT_KEYS) {
		const given = context[key];
		if (given === undefined) continue;
		if (candidate[key] === undefined) {
			if (merged === candidate) merged = { ...candidate };
			merged[key] = given;
		} else if (!isSame(candidate[key], given)) {
			throw new DecodeError(
				{ path: `/${key}`, message: `contradicts the topic or port, which says "${given}"` },
				index,
			);
		}
	}
	return merged;
}

/**
 * Decodes the short form, with any number of metrics, such as
 * `{"type":"temperature","buildingId":"b1","roomId":"hall","timestamp":1764000000000,"temperature":21.5}`.
 */
function decodeShortForm(value: Candidate, context: FrameContext, index: number, catalog: MetricLookup): Decoded[] {
	const { type, timestamp, ...rest } = value;
	const metrics = catalog.keys().filter((key) => Object.hasOwn(rest, key));
	if (typeof type === 'string' && catalog.definition(type) && !metrics.includes(type)) {
		throw new DecodeError({ path: `/${type}`, message: 'is required because "type" names it' }, index);
	}
	if (metrics.length === 0) {
		throw new DecodeError(
			{ path: '/metric', message: 'is required with "value", or a metric\'s key with its value' },
			index,
		);
	}
	const shared: Candidate = {};
	for (const key of ['sensorId', 'buildingId', 'roomId', 'observedAt', 'seq', 'boot', 'uptime'])
		if (rest[key] !== undefined && rest[key] !== null) shared[key] = rest[key];
	if (shared.observedAt === undefined && timestamp !== undefined) shared.observedAt = timestamp;
	if (shared.sensorId === undefined && context.sensorId === undefined)
		shared.sensorId = context.onlySensorId ?? roomAsSensor(shared);
	return metrics.flatMap((metric) => {
		const sent = rest[metric];
		if (isNoValue(sent)) return [];
		const measured = typeof sent === 'string' ? numberIn(sent) : undefined;
		const { value, unit = unitBeside(rest, metrics.length === 1 || type === metric) } = measured ?? { value: sent };
		const candidate = { ...shared, metric, value, ...(unit !== undefined && { unit }) };
		return [{ candidate: withContext(candidate, context, index), index, path: `/${metric}` }];
	});
}

/** Members of the short form beside metrics. */
const MEMBERS = new Set<string>([
	...['type', 'timestamp', 'sensorId', 'sensorName', 'buildingId', 'roomId', 'unit'],
	...['observedAt', 'seq', 'boot', 'uptime'],
]);
const MOST_SEARCHED = 100;

/** What looks like a measure in the gateway's own short form, under keys that are no metrics. */
export function unknownInShortForm(parsed: unknown, metrics: MetricLookup): UnknownField[] {
	const isKnown = (key: string) => MEMBERS.has(key) || metrics.definition(key) !== undefined;
	return (Array.isArray(parsed) ? parsed.slice(0, MOST_SEARCHED) : [parsed]).flatMap((one: unknown) =>
		isObject(one) && one.metric === undefined && one.value === undefined ? unknownFields(one, { isKnown }) : [],
	);
}

/** The unit beside a value of the short form, where it can be of no other value. */
function unitBeside({ unit }: Candidate, isOnly: boolean): string | undefined {
	return isOnly && typeof unit === 'string' && !isNoValue(unit) ? unit : undefined;
}

/** The sensor id of a short form that names no sensor: its building and room. */
function roomAsSensor({ buildingId, roomId }: Candidate): string | undefined {
	if (typeof buildingId !== 'string' || typeof roomId !== 'string') return undefined;
	return sensorIdFrom(buildingId, roomId);
}
