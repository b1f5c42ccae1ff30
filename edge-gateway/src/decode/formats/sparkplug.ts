/** The decoder of Sparkplug B, which keeps the aliases of each edge node. */
import { type Candidate, type Decoded, DecodeError } from '../message/candidate.ts';
import { type Decoder, type Decoding, type Message, type NoReading, orNoMetric } from '../message/decoder.ts';
import { isNoValue } from '../message/number.ts';
import type { Presence } from '../message/presence.ts';
import type { UnknownField } from '../message/unknown-field.ts';
import { isDevicePart, isProcessor } from '../vendor/own-temperature.ts';
import { sensorIdFrom } from '../vendor/sensor-id.ts';
import { isMeasureKey, noteUnknown, unknownFields } from '../vendor/unknown-fields.ts';
import { type VendorMetric, vendorValue } from '../vendor/vendor-table.ts';
import { BUILT_IN, type Vocabulary } from '../vendor/vocabulary.ts';
import {
	asDatatype,
	readSparkplug,
	rebirthCommand,
	type SparkplugMetric,
	type SparkplugPayload,
} from './sparkplug-payload.ts';

/** Publishes a message on the local broker. */
export type Publish = (message: { topic: string; payload: Buffer; qos: 0 | 1; retain: boolean }) => Promise<void>;

/** A metric as declared by a birth; data may then name it by its alias. */
interface DeclaredMetric {
	name: string;
	device: string | undefined;
	datatype: number | undefined;
	unit: string | undefined;
}

/** State of an edge node, from its births on. */
interface EdgeNode {
	born: boolean;
	bdSeq: number | undefined;
	/** The sequence number expected next; undefined before the first. */
	nextSeq: number | undefined;
	aliases: Map<bigint, DeclaredMetric>;
	/** By device and name, for data that repeat the name. */
	names: Map<string, DeclaredMetric>;
	rebirthRequestedAt: number;
}

const MAX_NODES = 1000;
const MAX_METRICS = 10_000;
/** Shortest time between two requests: a node that is asked too often would only send births. */
const REBIRTH_INTERVAL_MS = 10_000;
/** While a birth is put together, so much time may pass. */
const BIRTH_MS = 1000;
/** Quality code of a good value. */
const GOOD = 192;

/**
 * Decodes Sparkplug B (Sparkplug 3.0): `spBv1.0/{group}/{type}/{edge node}[/{device}]`. Births declare names, datatypes
 * and units; data may then name a metric by its alias. A gap in the sequence numbers, an unknown alias, or data before
 * a birth mean that messages were missed: the decoder reads what it can and requests a rebirth of the node.
 *
 * The last level of a metric's name is the key of the catalog (`…/temperature`), or the rule renames it or the whole
 * name. The sensor id is `{group}.{edge node}[.{device}][.{the levels before it}]`. The temperature of a part of the
 * device (`CPU/temperature`) is not the room's, and left out.
 */
export class SparkplugDecoder implements Decoder {
	readonly #publish: Publish;
	readonly #vocabulary: Vocabulary;
	readonly #nodes = new Map<string, EdgeNode>();

	constructor(publish: Publish, vocabulary = BUILT_IN) {
		this.#publish = publish;
		this.#vocabulary = vocabulary;
	}

	/** Decodes one message. @throws DecodeError */
	decode(message: Message): Decoding {
		const levels = message.source.split('/');
		const at = levels.indexOf('spBv1.0');
		const [group, type, nodeId, device] = at === -1 ? [] : levels.slice(at + 1);
		if (type === 'STATE' || group === 'STATE') return 'not_telemetry';
		if (
			!group ||
			!nodeId ||
			type === undefined ||
			!/^(N|D)(BIRTH|DATA|DEATH)$/.test(type) ||
			type.startsWith('D') !== Boolean(device)
		) {
			throw new DecodeError(
				{
					path: '',
					message:
						'must have the topic spBv1.0/{group}/{type}/{edge node}[/{device}], ' +
						'where type is NBIRTH, NDATA, NDEATH, DBIRTH, DDATA or DDEATH',
				},
				0,
			);
		}
		const payload = readSparkplug(message.raw);
		// Keyed by sender too: any client may publish a birth, and it must not change the aliases of another client's node.
		const node = this.#node(`${message.sender} ${group}/${nodeId}`);
		if (type === 'NDEATH') return applyDeath(node, payload, sensorIdFrom(group, nodeId));
		const missed = advanceSequence(node, type, payload.seq);
		if (type === 'DDEATH') forgetDevice(node, device);
		else if (type.endsWith('BIRTH')) applyBirth(node, type, device, payload);
		const from = { device, owner: [group, nodeId, device], receivedAt: message.receivedAt };
		const { readings, unread, unknown } = readingsOf(node, payload, from, this.#vocabulary);
		// The temperature of the processor matters only where nothing else is said.
		const told = readings.length > 0 ? unread.filter(({ name }) => !isOfPart(name)) : unread;
		noteUnknown(message, unreadFields(told), readings.length > 0);
		if (type.endsWith('BIRTH')) for (const each of readings) each.restated = restatedIn(payload, each.index);
		if (missed || unknown || !node.born)
			this.#requestRebirth(node, `spBv1.0/${group}/NCMD/${nodeId}`, message.receivedAt);
		if (type === 'DDEATH') return presence('offline', sensorIdFrom(group, nodeId, device));
		const decoding = orNoMetric(readings);
		if (typeof decoding !== 'string') return decoding;
		if (type.endsWith('BIRTH')) return presence('online', sensorIdFrom(group, nodeId, device));
		return unknown ? 'unknown_alias' : decoding;
	}

	#node(key: string): EdgeNode {
		let node = this.#nodes.get(key);
		if (node) return node;
		if (this.#nodes.size >= MAX_NODES) this.#nodes.delete(this.#nodes.keys().next().value!);
		node = {
			born: false,
			bdSeq: undefined,
			nextSeq: undefined,
			aliases: new Map(),
			names: new Map(),
			rebirthRequestedAt: Number.NEGATIVE_INFINITY,
		};
		this.#nodes.set(key, node);
		return node;
	}

	#requestRebirth(node: EdgeNode, topic: string, now: number): void {
		if (now - node.rebirthRequestedAt < REBIRTH_INTERVAL_MS) return;
		node.rebirthRequestedAt = now;
		// A node that is offline sends its births anyway when it reconnects.
		this.#publish({ topic, payload: rebirthCommand(now), qos: 0, retain: false }).catch(() => undefined);
	}
}

/** Checks the sequence number (0 to 255, then 0 again). Returns whether messages before this one are missing. */
function advanceSequence(node: EdgeNode, type: string, seq: number | undefined): boolean {
	if (seq === undefined) return false;
	const missed = type !== 'NBIRTH' && node.nextSeq !== undefined && seq !== node.nextSeq;
	node.nextSeq = (seq + 1) % 256;
	return missed;
}

/** Takes over the metrics that a birth declares. A birth of the node replaces all of them. */
function applyBirth(node: EdgeNode, type: string, device: string | undefined, payload: SparkplugPayload): void {
	if (type === 'NBIRTH') {
		node.born = true;
		node.aliases.clear();
		node.names.clear();
		node.bdSeq = bdSeqOf(payload);
	} else forgetDevice(node, device);
	for (const { name, alias, datatype, unit } of payload.metrics) {
		if (name === undefined || node.names.size >= MAX_METRICS) continue;
		const metric: DeclaredMetric = { name, device, datatype, unit };
		node.names.set(`${device ?? ''}/${name}`, metric);
		if (alias !== undefined) node.aliases.set(alias, metric);
	}
}

function forgetDevice(node: EdgeNode, device: string | undefined): void {
	for (const [alias, metric] of node.aliases) if (metric.device === device) node.aliases.delete(alias);
	for (const [key, metric] of node.names) if (metric.device === device) node.names.delete(key);
}

/** Ends the node's session, unless the last will is that of an earlier session (another `bdSeq`). */
function applyDeath(node: EdgeNode, payload: SparkplugPayload, owner: string): NoReading | Presence {
	const bdSeq = bdSeqOf(payload);
	if (node.bdSeq !== undefined && bdSeq !== undefined && bdSeq !== node.bdSeq) return 'not_telemetry';
	node.born = false;
	node.nextSeq = undefined;
	node.aliases.clear();
	node.names.clear();
	return presence('offline', owner);
}

/**
 * Births state the values of all metrics, with the time of each or with that of the birth (Sparkplug 3.0, "Metrics in
 * births").
 */
function restatedIn({ timestamp, metrics }: SparkplugPayload, index: number): 'dated' | 'undated' {
	const own = metrics[index]?.timestamp;
	return own !== undefined && own < (timestamp ?? Number.POSITIVE_INFINITY) - BIRTH_MS ? 'dated' : 'undated';
}

/** That an edge node or a device came or went, with all sensors behind it. */
function presence(state: Presence['state'], owner: string): Presence {
	return { state, of: { kind: 'sensor', ids: [owner], below: true } };
}

function bdSeqOf({ metrics }: SparkplugPayload): number | undefined {
	const value = metrics.find(({ name }) => name === 'bdSeq')?.value;
	return value === undefined ? undefined : Number(value);
}

/** Metrics that the specification reserves (Sparkplug 3.0, "Node Control", "Device Control", "Properties", `bdSeq`). */
const RESERVED = /^(?:bdSeq$|(?:Node|Device) Control\/|Node Info\/|(?:Device )?Properties\/|Properties$)/i;

/** A metric that has a name and nothing reads. */
interface UnreadMetric extends Measured {
	name: string;
}

interface Readings {
	readings: Decoded[];
	unread: UnreadMetric[];
	/** Whether a metric is named by an alias that no birth declared. */
	unknown: boolean;
}

function readingsOf(
	node: EdgeNode,
	payload: SparkplugPayload,
	{ device, owner, receivedAt }: { device: string | undefined; owner: (string | undefined)[]; receivedAt: number },
	vocabulary: Vocabulary,
): Readings {
	const readings: Decoded[] = [];
	const unread: UnreadMetric[] = [];
	let unknown = false;
	for (const [index, metric] of payload.metrics.entries()) {
		const declared = declaredMetric(node, metric, device);
		const name = metric.name ?? declared?.name;
		if (name === undefined) {
			unknown = true;
			continue;
		}
		const entry = vocabulary.entryNamed(name, lastLevel(name), isOfPart(name));
		if (entry) {
			const candidate = readingOf(name, entry, metric, declared, owner, payload.timestamp ?? receivedAt);
			readings.push({ candidate, index, path: `/metrics/${index}/value` });
		} else if (!RESERVED.test(name)) unread.push({ name, ...measured(metric, declared) });
	}
	return { readings, unread, unknown };
}

const lastLevel = (name: string) => name.slice(name.lastIndexOf('/') + 1);
const isOfPart = (name: string) =>
	name
		.split('/')
		.slice(0, -1)
		.some((level) => isDevicePart(level) || isProcessor(level));

/** What looks like a measure among metrics that nothing reads, by the last level of their names if it is unique. */
function unreadFields(unread: readonly UnreadMetric[]): UnknownField[] {
	const times = new Map<string, number>();
	for (const { name } of unread) times.set(lastLevel(name), (times.get(lastLevel(name)) ?? 0) + 1);
	const values = new Map<string, UnreadMetric>();
	for (const metric of unread) {
		const last = lastLevel(metric.name);
		if (!isMeasureKey(last)) continue;
		values.set(times.get(last) === 1 && !isOfPart(metric.name) ? last : metric.name, metric);
	}
	const fields = unknownFields(Object.fromEntries([...values].map(([key, { value }]) => [key, value])), {
		isKnown: () => false,
	});
	return fields.map((field) => ({ ...field, ...unitOf(values.get(field.key)) }));
}

const unitOf = (metric: UnreadMetric | undefined) => (metric?.unit === undefined ? {} : { unit: metric.unit });

function declaredMetric(
	node: EdgeNode,
	{ name, alias }: SparkplugMetric,
	device: string | undefined,
): DeclaredMetric | undefined {
	const declared = name === undefined ? node.aliases.get(alias ?? -1n) : node.names.get(`${device ?? ''}/${name}`);
	return declared?.device === device ? declared : undefined;
}

function readingOf(
	name: string,
	entry: VendorMetric,
	metric: SparkplugMetric,
	declared: DeclaredMetric | undefined,
	owner: (string | undefined)[],
	time: number,
): Candidate {
	const slash = name.lastIndexOf('/');
	const sent = measured(metric, declared);
	const read = vendorValue(sent.value, entry);
	const unit = read.unit ?? sent.unit;
	const sensorId = sensorIdFrom(...owner, slash === -1 ? undefined : name.slice(0, slash));
	return {
		sensorId,
		metric: entry.metric,
		value: read.value,
		observedAt: metric.timestamp ?? time,
		...(unit !== undefined && { unit }),
	};
}

/** A value with its unit as it was sent. */
interface Measured {
	value: unknown;
	unit?: string;
}

/** The value of a metric with its unit; null where the node says that it measured nothing, or nothing good. */
function measured(metric: SparkplugMetric, declared: DeclaredMetric | undefined): Measured {
	const isBad = metric.quality !== undefined && metric.quality !== GOOD;
	if (metric.isNull || isBad) return { value: null };
	const named = metric.unit ?? declared?.unit;
	const unit = named === undefined ? {} : { unit: named };
	if (metric.value !== undefined)
		return { value: asDatatype(metric.value, metric.datatype ?? declared?.datatype), ...unit };
	const { text } = metric;
	return text === undefined || isNoValue(text) ? { value: null } : { value: text, ...unit };
}
