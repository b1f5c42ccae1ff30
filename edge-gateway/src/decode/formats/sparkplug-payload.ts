/** Reads Sparkplug B payloads, and writes the command that requests a rebirth. */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { DecodeError } from '../message/candidate.ts';
import { inflate } from '../message/inflate.ts';

/** The fields of a Sparkplug B metric that the decoder uses. Times are epoch ms. */
export interface SparkplugMetric {
	name: string | undefined;
	alias: bigint | undefined;
	timestamp: number | undefined;
	datatype: number | undefined;
	isNull: boolean;
	/** As sent, for `asDatatype`; undefined if the value is neither a number nor a truth value. */
	value: number | bigint | boolean | undefined;
	/** Undefined if the value is no text. */
	text: string | undefined;
	/** Property `engUnit`. */
	unit: string | undefined;
	/** Property `Quality`; 192 is good. */
	quality: number | undefined;
}

/** The fields of a Sparkplug B payload that the decoder uses. */
export interface SparkplugPayload {
	/** Epoch ms. */
	timestamp: number | undefined;
	/** Sequence number, 0 to 255. */
	seq: number | undefined;
	metrics: SparkplugMetric[];
}

/** Width in bits of the signed datatypes (Sparkplug 3.0, "Data Types"). */
const SIGNED_BITS: Readonly<Record<number, number>> = { 1: 8, 2: 16, 3: 32, 4: 64 };
const BOOLEAN = 11;

/** The `uuid` of a payload whose `body` is another payload, compressed. The metric `algorithm` names how. */
const COMPRESSED = 'SPBV1.0_COMPRESSED';

/**
 * Reads a Sparkplug B payload (Sparkplug 3.0 chapter 6, `sparkplug_b.proto`), also a compressed one. Fields that are
 * not used are skipped.
 * @throws DecodeError `not_decoded`
 */
export function readSparkplug(raw: Uint8Array): SparkplugPayload {
	const { uuid, body, ...payload } = readPayload(raw);
	if (uuid !== COMPRESSED) return payload;
	const named = payload.metrics.find(({ name }) => name === 'algorithm')?.text?.toUpperCase();
	if (named !== undefined && named !== 'GZIP' && named !== 'DEFLATE')
		throw DecodeError.unreadable(`is compressed by ${named.slice(0, 20)}, but must be by GZIP or DEFLATE`);
	const inner = readPayload(inflate(body ?? new Uint8Array(), named === 'GZIP' ? 'gzip' : undefined));
	if (inner.uuid === COMPRESSED) throw DecodeError.unreadable('is compressed twice');
	return { timestamp: inner.timestamp, seq: inner.seq, metrics: inner.metrics };
}

interface WirePayload extends SparkplugPayload {
	uuid: string | undefined;
	body: Uint8Array | undefined;
}

function readPayload(raw: Uint8Array): WirePayload {
	const payload: WirePayload = { timestamp: undefined, seq: undefined, metrics: [], uuid: undefined, body: undefined };
	try {
		read(raw, {
			1: [WireType.Varint, (reader) => (payload.timestamp = Number(reader.uint64()))],
			2: [WireType.LengthDelimited, (reader) => payload.metrics.push(readMetric(reader.bytes()))],
			3: [WireType.Varint, (reader) => (payload.seq = Number(reader.uint64()))],
			4: [WireType.LengthDelimited, (reader) => (payload.uuid = reader.string(true))],
			5: [WireType.LengthDelimited, (reader) => (payload.body = reader.bytes())],
		});
	} catch (error) {
		throw DecodeError.unreadable(`is not a Sparkplug B payload: ${(error as Error).message}`);
	}
	return payload;
}

function readMetric(raw: Uint8Array): SparkplugMetric {
	const metric: SparkplugMetric = {
		name: undefined,
		alias: undefined,
		timestamp: undefined,
		datatype: undefined,
		isNull: false,
		value: undefined,
		text: undefined,
		unit: undefined,
		quality: undefined,
	};
	read(raw, {
		1: [WireType.LengthDelimited, (reader) => (metric.name = reader.string(true))],
		2: [WireType.Varint, (reader) => (metric.alias = BigInt(reader.uint64()))],
		3: [WireType.Varint, (reader) => (metric.timestamp = Number(reader.uint64()))],
		4: [WireType.Varint, (reader) => (metric.datatype = reader.uint32())],
		7: [WireType.Varint, (reader) => (metric.isNull = reader.bool())],
		9: [WireType.LengthDelimited, (reader) => readProperties(reader.bytes(), metric)],
		10: [WireType.Varint, (reader) => (metric.value = BigInt(reader.uint32()))],
		11: [WireType.Varint, (reader) => (metric.value = BigInt(reader.uint64()))],
		12: [WireType.Bit32, (reader) => (metric.value = reader.float())],
		13: [WireType.Bit64, (reader) => (metric.value = reader.double())],
		14: [WireType.Varint, (reader) => (metric.value = reader.bool())],
		15: [WireType.LengthDelimited, (reader) => (metric.text = reader.string(true))],
	});
	return metric;
}

/** Converts a sent value by its datatype; integers are sent unsigned. */
export function asDatatype(value: number | bigint | boolean, datatype: number | undefined): number | boolean {
	if (typeof value === 'boolean') return value;
	const bits = datatype === undefined ? undefined : SIGNED_BITS[datatype];
	return Number(bits === undefined || typeof value === 'number' ? value : BigInt.asIntN(bits, value));
}

/** Reads unit and quality from a PropertySet, which has its keys and its values in two parallel lists. */
function readProperties(raw: Uint8Array, metric: SparkplugMetric): void {
	const keys: string[] = [];
	const values: (string | number | undefined)[] = [];
	read(raw, {
		1: [WireType.LengthDelimited, (reader) => keys.push(reader.string(true))],
		2: [WireType.LengthDelimited, (reader) => values.push(readProperty(reader.bytes()))],
	});
	const unit = values[keys.indexOf('engUnit')];
	const quality = values[keys.indexOf('Quality')];
	if (typeof unit === 'string' && unit !== '') metric.unit = unit;
	if (typeof quality === 'number') metric.quality = quality;
}

function readProperty(raw: Uint8Array): string | number | undefined {
	let value: string | number | undefined;
	read(raw, {
		3: [WireType.Varint, (reader) => (value = reader.uint32())],
		8: [WireType.LengthDelimited, (reader) => (value = reader.string(true))],
	});
	return value;
}

/**
 * The used fields of a message, by number, with their wire type. A field of another wire type is skipped like an
 * unknown one.
 */
type Fields = Readonly<Record<number, readonly [WireType, (reader: BinaryReader) => void]>>;

function read(raw: Uint8Array, fields: Fields): void {
	const reader = new BinaryReader(raw);
	while (reader.pos < reader.len) {
		const [number, wireType] = reader.tag();
		const field = fields[number];
		if (field?.[0] === wireType) field[1](reader);
		else reader.skip(wireType, number);
	}
	if (reader.pos > reader.len) throw new Error('it ends inside a field');
}

/** The command that asks an edge node to send its births again (Sparkplug 3.0, "Node Control/Rebirth"). */
export function rebirthCommand(now: number): Buffer {
	const metric = new BinaryWriter();
	metric.tag(1, WireType.LengthDelimited).string('Node Control/Rebirth');
	metric.tag(3, WireType.Varint).uint64(BigInt(now));
	metric.tag(4, WireType.Varint).uint32(BOOLEAN);
	metric.tag(14, WireType.Varint).bool(true);
	const payload = new BinaryWriter();
	payload.tag(1, WireType.Varint).uint64(BigInt(now));
	payload.tag(2, WireType.LengthDelimited).bytes(metric.finish());
	return Buffer.from(payload.finish());
}
