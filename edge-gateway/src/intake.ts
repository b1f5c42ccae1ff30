import {
	CrowdVisionError,
	type ErrorCode,
	type IncomingReading,
	incomingReading,
	type MetricDefinition,
	metricDefinition,
	type Problem,
	type Transport,
} from '@crowdvision/contracts';
import { type AppendRecord, type DedupKey, type Log, LogFullError, LogWriteError } from '@crowdvision/log';
import { type Decoded, DecodeError, type FrameContext } from './decode/candidate.ts';
import { decodeCanonical } from './decode/canonical.ts';
import { parseJson } from './decode/json.ts';
import type { Ledger } from './ledger.ts';
import { observedTime } from './normalize/clock.ts';
import { dedupKey } from './normalize/dedupe.ts';
import { notAllowed, placeOf, type Sender } from './normalize/identify.ts';
import type { Crossings, Occupancy } from './normalize/occupancy.ts';
import { toCatalogUnit } from './normalize/units.ts';
import type { Registry } from './registry.ts';
import { type Rejected, sampleOf } from './rejected.ts';

/** One message of a device, as it came in. */
export interface Frame {
	transport: Transport;
	/** Topic, path or port, for the rejected list. */
	source: string;
	sender: Sender;
	context: FrameContext;
	/** The bytes as they came. */
	raw: Buffer;
	/** The value they stand for, where the source has parsed it already (Socket.IO). */
	parsed?: unknown;
}

/** A reading that passed every check that needs no state. */
interface Checked {
	incoming: IncomingReading;
	definition: MetricDefinition;
	value: number;
	buildingId: string;
	roomId: string;
	observedAt: number;
	timeQuality: string;
	deviceTime: string | number | undefined;
	key: DedupKey | undefined;
}

const RETRY_AFTER_SECONDS = 5;
const DISK_TROUBLE_SECONDS = 2;

/**
 * One frame on its way from a source to the log:
 *
 *   raw ─▶ decode ─▶ validate ─▶ identify ─▶ units, clock ─▶ dedup ─▶ crossings to count ─▶ log ─▶ acknowledged
 *            └───────────┴────────────┴────────────┴─▶ rejected
 *
 * Up to dedup nothing is changed, so a batch is taken whole or refused whole. From dedup to the log's append everything happens in
 * one turn of the event loop, so no other frame comes between a judgement and the write it led to.
 */
export class Intake {
	readonly #log: Log;
	readonly #registry: Registry;
	readonly #occupancy: Occupancy;
	readonly #rejected: Rejected;
	readonly #ledger: Ledger;
	readonly #gateway: string;

	constructor(parts: { log: Log; registry: Registry; occupancy: Occupancy; rejected: Rejected; ledger: Ledger; gatewayId: string }) {
		this.#log = parts.log;
		this.#registry = parts.registry;
		this.#occupancy = parts.occupancy;
		this.#rejected = parts.rejected;
		this.#ledger = parts.ledger;
		this.#gateway = JSON.stringify(parts.gatewayId);
	}

	/**
	 * Resolves, with the number of readings, when all are durable (a duplicate: when its original is).
	 * @throws CrowdVisionError `not_json`, `invalid_reading`, `unknown_sensor`, `forbidden` (refused, and kept in the rejected list);
	 * `log_full`, `unavailable` (not refused: to be delivered again).
	 */
	deliver(frame: Frame): Promise<number> {
		const account = this.#ledger.of(frame.transport);
		const receivedAt = Date.now();
		let checked: Checked[];
		try {
			checked = decode(frame).map((decoded) => this.#checkOne(decoded, frame, receivedAt));
		} catch (error) {
			if (error instanceof CrowdVisionError) return this.refuse(frame, error);
			account.received += 1;
			throw error;
		}
		account.received += checked.length;
		account.pending += checked.length;
		return this.#store(frame, checked, receivedAt, account);
	}

	/** Keeps a frame in the rejected list, counts it as one reading received and rejected, and rejects with `error`. */
	async refuse(frame: Pick<Frame, 'transport' | 'source' | 'raw'> & { sender: Sender | undefined }, error: CrowdVisionError): Promise<never> {
		this.#ledger.of(frame.transport).received += 1;
		this.#ledger.reject(frame.transport, error.code, 1);
		await this.#rejected.add({
			at: Date.now(),
			transport: frame.transport,
			source: frame.source,
			sender: frame.sender?.id,
			domainName: frame.sender?.domainName,
			code: error.code,
			message: error.message,
			...(error.details.path === undefined ? {} : { path: error.details.path }),
			sample: sampleOf(frame.raw),
		});
		throw error;
	}

	#checkOne({ candidate, index }: Decoded, frame: Frame, receivedAt: number): Checked {
		if (!incomingReading.check(candidate)) throw refusal('invalid_reading', incomingReading.problem(candidate)!, index);
		const definition = metricDefinition(candidate.metric)!;
		const { sender } = frame;
		const place = placeOf(candidate.sensorId, candidate.buildingId ?? sender.buildingId, candidate.roomId, this.#registry);
		if ('path' in place) throw refusal('unknown_sensor', place, index);
		const denied = notAllowed(sender, candidate.sensorId, place.buildingId, this.#registry);
		if (denied) throw refusal('forbidden', denied, index);
		const value = toCatalogUnit(definition, candidate.value, candidate.unit);
		if (typeof value !== 'number') throw refusal('invalid_reading', value, index);
		const time = observedTime(candidate.observedAt, receivedAt);
		if ('path' in time) throw refusal('invalid_reading', time, index);
		return {
			incoming: candidate,
			definition,
			value,
			buildingId: place.buildingId,
			roomId: place.roomId,
			observedAt: time.observedAt,
			timeQuality: time.timeQuality,
			deviceTime: time.deviceTime,
			key: dedupKey(candidate, place.buildingId, place.roomId),
		};
	}

	async #store(frame: Frame, checked: Checked[], receivedAt: number, account: ReturnType<Ledger['of']>): Promise<number> {
		const records: AppendRecord[] = [];
		const undo: (() => void)[] = [];
		const inThisBatch = checked.length > 1 ? new Set<string>() : undefined;
		let offset = this.#log.nextOffset;
		let restarts = 0;
		for (const item of checked) {
			const { key } = item;
			if (key) {
				const verdict = this.#log.look(key);
				if (verdict === 'duplicate') continue;
				const spelled = inThisBatch && `${key.source} ${key.boot} ${key.seq} ${key.hash}`;
				if (spelled !== undefined) {
					if (inThisBatch!.has(spelled)) continue;
					inThisBatch!.add(spelled);
				}
				if (verdict === 'restart') restarts++;
			}
			let crossings: Crossings | undefined;
			if (item.definition.kind === 'flow') {
				crossings = item.incoming.metric === 'peopleIn' ? { in: item.value, out: 0 } : { in: 0, out: item.value };
				const applied = this.#occupancy.apply(item.buildingId, item.roomId, crossings);
				item.value = applied.count;
				undo.push(applied.undo);
			}
			records.push({ payload: this.#encode(item, offset++, receivedAt, frame.transport, crossings), at: receivedAt, ...(key ? { key } : {}) });
		}
		try {
			if (records.length > 0) await this.#log.append(records);
			if (records.length < checked.length) await this.#log.durable();
		} catch (error) {
			account.pending -= checked.length;
			for (const step of undo.reverse()) step();
			account.deferred += checked.length;
			if (error instanceof LogFullError)
				throw new CrowdVisionError('log_full', `The gateway cannot take more for now: ${error.message}`, {}, RETRY_AFTER_SECONDS);
			if (error instanceof LogWriteError) {
				throw new CrowdVisionError('unavailable', `The gateway's disk refused the write (${error.code})`, {}, DISK_TROUBLE_SECONDS);
			}
			throw error;
		}
		account.pending -= checked.length;
		account.accepted += records.length;
		account.duplicates += checked.length - records.length;
		account.restarts += restarts;
		return checked.length;
	}

	/** The canonical reading as JSON. Spelled by hand: it is the hot path, and everything but a few texts is known to need no escaping. */
	#encode(item: Checked, offset: number, receivedAt: number, transport: Transport, crossings: Crossings | undefined): string {
		const { incoming } = item;
		const metric = crossings ? 'peopleCount' : incoming.metric;
		let json =
			`{"id":"${this.#log.id}-${offset}","sensorId":"${incoming.sensorId}","metric":"${metric}","value":${item.value},"unit":"${item.definition.unit}"` +
			`,"buildingId":"${item.buildingId}","roomId":"${item.roomId}","observedAt":${item.observedAt},"receivedAt":${receivedAt}` +
			`,"gatewayId":${this.#gateway},"transport":"${transport}","timeQuality":"${item.timeQuality}"`;
		if (incoming.seq !== undefined) json += `,"seq":${incoming.seq}`;
		if (incoming.boot !== undefined) json += `,"boot":${JSON.stringify(incoming.boot)}`;
		if (item.deviceTime !== undefined) json += `,"deviceTime":${JSON.stringify(item.deviceTime)}`;
		if (crossings) json += `,"crossings":{"in":${crossings.in},"out":${crossings.out}}`;
		return `${json}}`;
	}
}

function decode(frame: Frame): Decoded[] {
	frame.parsed ??= parseJson(frame.raw);
	try {
		return decodeCanonical(frame.parsed, frame.context);
	} catch (error) {
		if (error instanceof DecodeError) throw refusal('invalid_reading', error.problem, error.index);
		throw error;
	}
}

function refusal(code: ErrorCode, problem: Problem, index: number): CrowdVisionError {
	return new CrowdVisionError(code, `reading ${index}: ${problem.path || 'it'} ${problem.message}`, { index, path: problem.path });
}
