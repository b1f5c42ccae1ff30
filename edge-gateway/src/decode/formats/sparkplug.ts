import { METRIC_KEYS, type MetricKey } from '@crowdvision/contracts';
import { type Candidate, type Decoded, DecodeError } from '../message/candidate.ts';
import type { Decoder, Decoding, Message, NoReading } from '../message/decoder.ts';
import { sensorIdFrom } from './sensor-id.ts';
import {
	asDatatype,
	readSparkplug,
	rebirthCommand,
	type SparkplugMetric,
	type SparkplugPayload,
} from './sparkplug-payload.ts';

/** Puts a message on the local broker. */
export type Publish = (message: { topic: string; payload: Buffer; qos: 0 | 1; retain: boolean }) => Promise<void>;

/** What a birth says of a metric that data then name by its alias. */
interface Born {
	name: string;
	device: string | undefined;
	datatype: number | undefined;
	unit: string | undefined;
}

/** What is known of an edge node from its births on. */
interface EdgeNode {
	born: boolean;
	bdSeq: number | undefined;
	/** The next message's sequence number, where one was seen. */
	next: number | undefined;
	aliases: Map<bigint, Born>;
	/** By device and name, for data that repeat names instead. */
	names: Map<string, Born>;
	askedAt: number;
}

const MOST_NODES = 1000;
const MOST_METRICS = 10_000;
/** A node that is asked again and again would do nothing but be born. */
const ASK_AGAIN_MS = 10_000;
const GOOD = 192;
const METRIC_OF_NAME = new Map<string, MetricKey>(METRIC_KEYS.map((key) => [key.toLowerCase(), key]));

/**
 * Sparkplug B (Sparkplug 3.0): `spBv1.0/{group}/{type}/{edge node}[/{device}]`. Births tell names, datatypes and units;
 * data may then name a metric by its alias. A message that does not follow the one before, an alias nobody has heard
 * of, or data before a birth mean that something was missed: what can be read is taken, and the node is asked for its
 * births.
 *
 * A metric `…/temperature` is the catalog's of that name; the sensor is `{group}.{edge node}[.{device}][.{what stands
 * before in the metric's name}]`.
 */
export class SparkplugDecoder implements Decoder {
	readonly #publish: Publish;
	readonly #nodes = new Map<string, EdgeNode>();

	constructor(publish: Publish) {
		this.#publish = publish;
	}

	/** @throws DecodeError */
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
						'must come by spBv1.0/{group}/{NBIRTH, NDATA, NDEATH, DBIRTH, DDATA or DDEATH}/{edge node}[/{device}]',
				},
				0,
			);
		}
		const payload = readSparkplug(message.raw);
		// By sender too: anybody may publish a birth, and it must not change what the aliases of another's node mean.
		const node = this.#node(`${message.sender} ${group}/${nodeId}`);
		if (type === 'NDEATH') return died(node, payload);
		const missed = follow(node, type, payload.seq);
		if (type === 'DDEATH') forget(node, device);
		else if (type.endsWith('BIRTH')) learn(node, type, device, payload);
		const { readings, unknown } = readingsOf(node, payload, device, [group, nodeId, device], message.receivedAt);
		if (missed || unknown || !node.born) this.#askForBirth(node, `spBv1.0/${group}/NCMD/${nodeId}`, message.receivedAt);
		if (readings.length > 0) return readings;
		if (type === 'DDEATH') return 'not_telemetry';
		return unknown ? 'unknown_alias' : 'no_metric';
	}

	#node(key: string): EdgeNode {
		let node = this.#nodes.get(key);
		if (node) return node;
		if (this.#nodes.size >= MOST_NODES) this.#nodes.delete(this.#nodes.keys().next().value!);
		node = {
			born: false,
			bdSeq: undefined,
			next: undefined,
			aliases: new Map(),
			names: new Map(),
			askedAt: Number.NEGATIVE_INFINITY,
		};
		this.#nodes.set(key, node);
		return node;
	}

	#askForBirth(node: EdgeNode, topic: string, now: number): void {
		if (now - node.askedAt < ASK_AGAIN_MS) return;
		node.askedAt = now;
		// A node that is away is born when it comes back, without being asked.
		this.#publish({ topic, payload: rebirthCommand(now), qos: 0, retain: false }).catch(() => undefined);
	}
}

/** Takes the sequence number (0 to 255, then 0 again). Returns whether messages are missing before this one. */
function follow(node: EdgeNode, type: string, seq: number | undefined): boolean {
	if (seq === undefined) return false;
	const missed = type !== 'NBIRTH' && node.next !== undefined && seq !== node.next;
	node.next = (seq + 1) % 256;
	return missed;
}

function learn(node: EdgeNode, type: string, device: string | undefined, payload: SparkplugPayload): void {
	if (type === 'NBIRTH') {
		node.born = true;
		node.aliases.clear();
		node.names.clear();
		node.bdSeq = bdSeqOf(payload);
	} else forget(node, device);
	for (const { name, alias, datatype, unit } of payload.metrics) {
		if (name === undefined || node.names.size >= MOST_METRICS) continue;
		const born: Born = { name, device, datatype, unit };
		node.names.set(`${device ?? ''}/${name}`, born);
		if (alias !== undefined) node.aliases.set(alias, born);
	}
}

function forget(node: EdgeNode, device: string | undefined): void {
	for (const [alias, born] of node.aliases) if (born.device === device) node.aliases.delete(alias);
	for (const [key, born] of node.names) if (born.device === device) node.names.delete(key);
}

/** The last will of a session before this one says nothing of this one. */
function died(node: EdgeNode, payload: SparkplugPayload): NoReading {
	const bdSeq = bdSeqOf(payload);
	if (node.bdSeq === undefined || bdSeq === undefined || bdSeq === node.bdSeq) {
		node.born = false;
		node.next = undefined;
		node.aliases.clear();
		node.names.clear();
	}
	return 'not_telemetry';
}

function bdSeqOf({ metrics }: SparkplugPayload): number | undefined {
	const value = metrics.find(({ name }) => name === 'bdSeq')?.value;
	return value === undefined ? undefined : Number(value);
}

function readingsOf(
	node: EdgeNode,
	payload: SparkplugPayload,
	device: string | undefined,
	owner: (string | undefined)[],
	receivedAt: number,
): { readings: Decoded[]; unknown: boolean } {
	const readings: Decoded[] = [];
	let unknown = false;
	for (const [index, metric] of payload.metrics.entries()) {
		const born = bornAs(node, metric, device);
		const name = metric.name ?? born?.name;
		if (name === undefined) {
			unknown = true;
			continue;
		}
		const candidate = readingOf(name, metric, born, owner, payload.timestamp ?? receivedAt);
		if (candidate) readings.push({ candidate, index });
	}
	return { readings, unknown };
}

function bornAs(node: EdgeNode, { name, alias }: SparkplugMetric, device: string | undefined): Born | undefined {
	const born = name === undefined ? node.aliases.get(alias ?? -1n) : node.names.get(`${device ?? ''}/${name}`);
	return born?.device === device ? born : undefined;
}

function readingOf(
	name: string,
	metric: SparkplugMetric,
	born: Born | undefined,
	owner: (string | undefined)[],
	time: number,
): Candidate | undefined {
	const slash = name.lastIndexOf('/');
	const key = METRIC_OF_NAME.get(name.slice(slash + 1).toLowerCase());
	const bad = metric.quality !== undefined && metric.quality !== GOOD;
	if (key === undefined || metric.value === undefined || metric.isNull || bad) return undefined;
	const value = asDatatype(metric.value, metric.datatype ?? born?.datatype);
	const unit = metric.unit ?? born?.unit;
	const sensorId = sensorIdFrom(...owner, slash === -1 ? undefined : name.slice(0, slash));
	return { sensorId, metric: key, value, observedAt: metric.timestamp ?? time, ...(unit !== undefined && { unit }) };
}
