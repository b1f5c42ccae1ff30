import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** A metric as an edge node sends it. */
export interface SentMetric {
	name?: string;
	alias?: number;
	timestamp?: number;
	datatype?: number;
	isNull?: boolean;
	int?: number;
	long?: bigint;
	float?: number;
	double?: number;
	boolean?: boolean;
	string?: string;
	properties?: Record<string, string | number>;
}

/** A payload as an edge node sends it. */
export interface SentPayload {
	timestamp?: number;
	seq?: number;
	metrics?: SentMetric[];
	uuid?: string;
	body?: Uint8Array;
}

/** A Sparkplug B payload by the field numbers of `sparkplug_b.proto`. */
export function sparkplugPayload(payload: SentPayload): Buffer {
	const writer = new BinaryWriter();
	if (payload.timestamp !== undefined) writer.tag(1, WireType.Varint).uint64(payload.timestamp);
	for (const metric of payload.metrics ?? []) writer.tag(2, WireType.LengthDelimited).bytes(metricBytes(metric));
	if (payload.seq !== undefined) writer.tag(3, WireType.Varint).uint64(payload.seq);
	if (payload.uuid !== undefined) writer.tag(4, WireType.LengthDelimited).string(payload.uuid);
	if (payload.body !== undefined) writer.tag(5, WireType.LengthDelimited).bytes(payload.body);
	return Buffer.from(writer.finish());
}

function metricBytes(metric: SentMetric): Uint8Array {
	const writer = new BinaryWriter();
	if (metric.name !== undefined) writer.tag(1, WireType.LengthDelimited).string(metric.name);
	if (metric.alias !== undefined) writer.tag(2, WireType.Varint).uint64(metric.alias);
	if (metric.timestamp !== undefined) writer.tag(3, WireType.Varint).uint64(metric.timestamp);
	if (metric.datatype !== undefined) writer.tag(4, WireType.Varint).uint32(metric.datatype);
	if (metric.isNull !== undefined) writer.tag(7, WireType.Varint).bool(metric.isNull);
	if (metric.properties) writer.tag(9, WireType.LengthDelimited).bytes(propertyBytes(metric.properties));
	if (metric.int !== undefined) writer.tag(10, WireType.Varint).uint32(metric.int >>> 0);
	if (metric.long !== undefined) writer.tag(11, WireType.Varint).uint64(BigInt.asUintN(64, metric.long));
	if (metric.float !== undefined) writer.tag(12, WireType.Bit32).float(metric.float);
	if (metric.double !== undefined) writer.tag(13, WireType.Bit64).double(metric.double);
	if (metric.boolean !== undefined) writer.tag(14, WireType.Varint).bool(metric.boolean);
	if (metric.string !== undefined) writer.tag(15, WireType.LengthDelimited).string(metric.string);
	return writer.finish();
}

function propertyBytes(properties: Record<string, string | number>): Uint8Array {
	const writer = new BinaryWriter();
	for (const key of Object.keys(properties)) writer.tag(1, WireType.LengthDelimited).string(key);
	for (const value of Object.values(properties)) {
		const property = new BinaryWriter();
		if (typeof value === 'string') property.tag(8, WireType.LengthDelimited).string(value);
		else property.tag(3, WireType.Varint).uint32(value);
		writer.tag(2, WireType.LengthDelimited).bytes(property.finish());
	}
	return writer.finish();
}

/** Name and value of the boolean metrics of a command, as an edge node reads it. */
export function commandIn(payload: Uint8Array): [name: string, value: boolean][] {
	const metrics: [string, boolean][] = [];
	each(payload, (field, reader) => {
		if (field !== 2) return false;
		let name = '';
		let value = false;
		each(reader.bytes(), (inner, metric) => {
			if (inner === 1) name = metric.string();
			else if (inner === 14) value = metric.bool();
			else return false;
			return true;
		});
		metrics.push([name, value]);
		return true;
	});
	return metrics;
}

function each(bytes: Uint8Array, take: (field: number, reader: BinaryReader) => boolean): void {
	const reader = new BinaryReader(bytes);
	while (reader.pos < reader.len) {
		const [field, wireType] = reader.tag();
		if (!take(field, reader)) reader.skip(wireType, field);
	}
}
