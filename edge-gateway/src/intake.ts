import {
	CrowdVisionError,
	type ErrorCode,
	type IncomingReading,
	incomingReading,
	type MetricDefinition,
	metricDefinition,
	type Problem,
	type TimeQuality,
	type Transport,
} from '@crowdvision/contracts';
import type { AppendRecord, DedupKey, Log } from '@crowdvision/log';
import { type Account, count } from './account.ts';
import type { Clock } from './clock/clock.ts';
import { type Candidate, type Decoded, DecodeError, type FrameContext } from './decode/candidate.ts';
import { decodeCanonical, decodeReading, withContext } from './decode/canonical.ts';
import { DecodeQueue } from './decode/decode-queue.ts';
import { type Decoding, NO_READING } from './decode/decoder.ts';
import { completed, type DecodeBy } from './decode/decoders.ts';
import { parseJson } from './decode/json.ts';
import { asDeferral } from './deferral.ts';
import type { Admission } from './devices/admission.ts';
import type { Availability } from './devices/availability.ts';
import type { Quarantine } from './devices/quarantine.ts';
import { sightingOf, UnknownSensor } from './devices/unknown-sensor.ts';
import type { Ledger } from './ledger.ts';
import { dedupKey, replayKey } from './normalize/dedupe.ts';
import { notAllowed, outsideScope, placeOf, type Sender } from './normalize/identify.ts';
import { observedTime } from './normalize/observed-time.ts';
import { toCatalogUnit } from './normalize/units.ts';
import { type Door, type DoorMetric, type Leg, legsOf, totalOf } from './occupancy/doors.ts';
import type { Applied, Occupancy } from './occupancy/occupancy.ts';
import { type CountedFields, ReadingEncoder } from './reading-encoder.ts';
import type { Recorder } from './recorder.ts';
import type { Registry } from './registry.ts';
import type { Refusal, Rejected } from './rejected.ts';
import type { Stage, Trace, TraceEvent } from './trace.ts';

/** One message of a device, as it came in. */
export interface Frame {
	transport: Transport;
	/** Topic, path or port, for the rejected list. */
	source: string;
	/** The port it came by, where its transport has several: it has an account of its own. */
	port?: string;
	sender: Sender;
	context: FrameContext;
	/** The bytes as they came. */
	raw: Buffer;
	/** The value they stand for, where the source has parsed it already (Socket.IO). */
	parsed?: unknown;
	/** The rule whose decoder reads them; undefined for the gateway's own format. */
	decodeBy?: DecodeBy | undefined;
	/** What it made of them, so that a frame that is delivered again is not decoded twice: a decoder may count what it sees. */
	decoding?: Decoding;
	/** Where the source names one. */
	contentType?: string;
	/** When it came in, epoch ms; default: now. */
	receivedAt?: number;
	/** The refusal that is taken in again with this frame. */
	replayOf?: number;
}

/** A frame as far as the rejected list needs it. */
export type Refused = Omit<Frame, 'sender' | 'context'> & {
	sender: Sender | undefined;
	context?: FrameContext;
	/** Only counted: so much like it was listed lately that more would wear out the disk and tell nothing. */
	unlisted?: boolean;
};

/** Told once what became of a frame. */
export type Settled = (error: Error | undefined, accepted: number) => void;

/** A reading that passed every check that needs no state. */
interface Checked {
	incoming: IncomingReading;
	definition: MetricDefinition;
	value: number;
	buildingId: string;
	roomId: string;
	observedAt: number;
	timeQuality: TimeQuality;
	deviceTime: string | number | undefined;
	key: DedupKey | undefined;
	bridge: string | undefined;
	/** What is configured of the door it is from. */
	door: Door | undefined;
}

const COUNTS_NOTHING: Applied[] = [];
/** A reading that is no door's is stored as it is. */
const AS_IT_IS: readonly undefined[] = [undefined];
/** Told of readings that cannot be taken for now. */
type OnDeferred = (why: CrowdVisionError, readings: number) => void;

const NOT_TOLD: OnDeferred = () => undefined;

/**
 * One frame on its way from a source to the log:
 *
 *   raw ─▶ decode ─▶ validate ─▶ identify ─▶ units, clock ─▶ dedup ─▶ crossings to count ─▶ log ─▶ acknowledged
 *            └───────────┴────────────┴────────────┴─▶ rejected
 *
 * Up to dedup nothing is changed, so a batch is taken whole or refused whole. From validate to the log's append everything happens in
 * one turn of the event loop, so no other frame comes between a judgement and the write it led to. Decoding may take longer; what else its sender
 * sends waits for it.
 */
export class Intake {
	readonly #log: Log;
	readonly #clock: Clock;
	readonly #registry: Registry;
	readonly #occupancy: Occupancy;
	readonly #rejected: Rejected;
	readonly #ledger: Ledger;
	readonly #admission: Admission | undefined;
	readonly #quarantine: Quarantine | undefined;
	readonly #availability: Availability | undefined;
	readonly #encoder: ReadingEncoder;
	readonly #queue = new DecodeQueue();
	readonly #recorder: Recorder | undefined;
	readonly #trace: Trace | undefined;
	readonly #onDeferred: OnDeferred;

	constructor(parts: {
		log: Log;
		clock: Clock;
		registry: Registry;
		occupancy: Occupancy;
		rejected: Rejected;
		ledger: Ledger;
		/** Which sensors are taken; all where it is left out. */
		admission?: Admission;
		/** Where sensors are noted whose place nobody knows. */
		quarantine?: Quarantine;
		/** Told of every sensor that is heard. */
		availability?: Availability;
		/** Who keeps what came in, and what became of it. */
		recorder?: Recorder;
		trace?: Trace;
		gatewayId: string;
	}) {
		this.#admission = parts.admission;
		this.#quarantine = parts.quarantine;
		this.#availability = parts.availability;
		this.#recorder = parts.recorder;
		this.#trace = parts.trace;
		this.#onDeferred = ({ code, message }, readings) => this.#trace?.deferred(code, message, readings, this.#clock.now());
		this.#log = parts.log;
		this.#clock = parts.clock;
		this.#registry = parts.registry;
		this.#occupancy = parts.occupancy;
		this.#rejected = parts.rejected;
		this.#ledger = parts.ledger;
		this.#encoder = new ReadingEncoder(parts.log.id, parts.gatewayId);
	}

	/**
	 * Resolves, with the number of readings, when all are durable (a duplicate: when its original is).
	 * @throws CrowdVisionError `not_json`, `invalid_reading`, `unknown_sensor`, `not_admitted`, `forbidden` (refused, and kept in the rejected list);
	 * `log_full`, `unavailable` (not refused: to be delivered again).
	 */
	deliver(frame: Frame): Promise<number> {
		return new Promise((resolve, reject) => {
			this.take(frame, (error, accepted) => (error ? reject(error) : resolve(accepted)));
		});
	}

	/** As `deliver`, for the source that does it thousands of times a second: `settled` is called once. */
	take(frame: Frame, settled: Settled): void {
		const receivedAt = frame.receivedAt ?? this.#clock.now();
		if (frame.replayOf === undefined) this.#recorder?.record(frame, receivedAt, this.#log.nextOffset);
		if (this.#trace?.watching) this.#follow(frame, receivedAt, 'received', { detail: `${frame.raw.length} bytes` });
		if (frame.decodeBy !== undefined) this.#takeDecoded(frame, frame.decodeBy, receivedAt, settled);
		else if (this.#queue.holds(frame.sender.id)) this.#takeInTurn(frame, receivedAt, settled);
		else this.#takeCanonical(frame, receivedAt, settled);
	}

	#takeCanonical(frame: Frame, receivedAt: number, settled: Settled): void {
		const account = this.#ledger.of(frame.transport, frame.port);
		let readings = 0;
		try {
			frame.parsed ??= parseJson(frame.raw);
			const reading = decodeReading(frame.parsed, frame.context);
			if (reading) {
				account.received += readings = 1;
				const checked = this.#checkOne(reading, 0, frame, receivedAt);
				if (checked.door?.between) this.#storeAll(frame, [checked], receivedAt, account, settled);
				else this.#storeOne(frame, checked, receivedAt, account, settled);
			} else {
				const decoded = decodeCanonical(frame.parsed, frame.context);
				account.received += readings = decoded.length;
				const checked = decoded.map(({ candidate, index }) => this.#checkOne(candidate, index, frame, receivedAt));
				this.#storeAll(frame, checked, receivedAt, account, settled);
			}
		} catch (error) {
			if (readings === 0) account.received += readings = 1;
			this.#settle(frame, error as Error, account, readings, settled);
		}
	}

	/** A frame in the gateway's own format, behind others of its sender that are still being decoded. */
	#takeInTurn(frame: Frame, receivedAt: number, settled: Settled): void {
		const { era } = this.#clock;
		try {
			this.#queue.run(
				frame.sender.id,
				frame.raw.length,
				() => undefined,
				() => this.#takeCanonical(frame, this.#since(era, receivedAt), settled),
			);
		} catch (error) {
			const account = this.#ledger.of(frame.transport, frame.port);
			account.received += 1;
			this.#settle(frame, error as Error, account, 1, settled);
		}
	}

	/** When a message was received that has waited since: a time of an era in which the time was not known means nothing after it. */
	#since(era: number | undefined, receivedAt: number): number {
		return era === this.#clock.era ? receivedAt : this.#clock.now();
	}

	#takeDecoded(frame: Frame, { rule, name }: DecodeBy, receivedAt: number, settled: Settled): void {
		const { raw, source, sender } = frame;
		const { era } = this.#clock;
		const account = this.#ledger.of(frame.transport, frame.port);
		const ofRule = this.#ledger.part('decoder', rule.name);
		for (const each of [account, ofRule]) {
			each.received += 1;
			each.decoding += 1;
		}
		const then = (error: Error | undefined, decoding?: Decoding) => {
			account.decoding -= 1;
			ofRule.decoding -= 1;
			countDecoded(ofRule, error ?? decoding!);
			this.#storeDecoded(frame, error ?? decoding!, this.#since(era, receivedAt), account, settled);
		};
		try {
			this.#queue.run<Decoding>(
				sender.id,
				raw.length,
				() => frame.decoding ?? rule.decoder.decode({ raw, source, sender: sender.id, name, receivedAt }),
				then,
			);
		} catch (error) {
			then(error as Error);
		}
	}

	/** What was received as one message is now as many readings as it holds. */
	#storeDecoded(frame: Frame, decoding: Decoding | Error, receivedAt: number, account: Account, settled: Settled): void {
		if (decoding instanceof Error) return void this.#settle(frame, decoding, account, 1, settled);
		frame.decoding = decoding;
		if (typeof decoding === 'string') {
			count(account.ignored, decoding);
			this.#follow(frame, receivedAt, 'decoded', { outcome: 'ignored', detail: NO_READING[decoding] });
			return void settled(undefined, 0);
		}
		account.received += decoding.length - 1;
		try {
			const checked = decoding.map((decoded) => this.#checkOne(this.#complete(frame, decoded), decoded.index, frame, receivedAt));
			this.#storeAll(frame, checked, receivedAt, account, settled);
		} catch (error) {
			this.#settle(frame, error as Error, account, decoding.length, settled);
		}
	}

	/** A decoded reading with what its topic, its rule and its sender say of it. @throws DecodeError */
	#complete({ context, decodeBy }: Frame, { candidate, index }: Decoded): Candidate {
		const isRegistered = (sensorId: string) => this.#registry.sensor(sensorId) !== undefined;
		return completed(withContext(candidate, context, index), decodeBy!.rule.defaults, context.onlySensorId, isRegistered);
	}

	/** Tells what became of a frame that is not on its way to the disk: refused for good, or to be delivered again. */
	#settle(frame: Frame, error: Error, account: Account, readings: number, settled: Settled): void {
		const refused = asRefusal(error, frame.decodeBy !== undefined);
		if (refused && refused.status < 500) {
			this.#refuse(frame, refused, account, readings).catch((reason: Error) => settled(reason, 0));
			return;
		}
		if (refused) {
			account.deferred += readings;
			this.#onDeferred(refused, readings);
		}
		settled(error, 0);
	}

	/** For a frame that its source does not even hand over: keeps it in the rejected list, counts it as one reading received and rejected, and rejects with `error`. */
	refuse(frame: Refused, error: CrowdVisionError): Promise<never> {
		const account = this.#ledger.of(frame.transport, frame.port);
		account.received += 1;
		if (frame.replayOf === undefined) this.#recorder?.record(frame, this.#clock.now(), this.#log.nextOffset);
		return this.#refuse(frame, error, account, 1);
	}

	async #refuse(frame: Refused, error: CrowdVisionError, account: Account, readings: number): Promise<never> {
		count(account.rejected, error.code, readings);
		// What is refused again is in the list already.
		if (frame.replayOf !== undefined || frame.unlisted) throw error;
		const refusal = refusalOf(frame, error, this.#clock.now());
		if (error instanceof UnknownSensor) this.#quarantine?.see(sightingOf(frame, error, refusal.at));
		await this.#rejected.add(refusal);
		throw error;
	}

	#checkOne(candidate: Candidate, index: number, frame: Frame, receivedAt: number): Checked {
		const { sender, replayOf } = frame;
		if (!incomingReading.check(candidate)) throw refusal('invalid_reading', incomingReading.problem(candidate)!, index);
		const definition = metricDefinition(candidate.metric)!;
		const keptOut = this.#admission?.refusal(candidate.sensorId, sender.id);
		if (keptOut !== undefined) throw new CrowdVisionError('not_admitted', `reading ${index}: ${keptOut}`, { index, path: '/sensorId' });
		const door = definition.kind === 'flow' ? this.#occupancy.doors.of(candidate.sensorId) : undefined;
		const place = placeOf(candidate.sensorId, candidate.buildingId, candidate.roomId ?? door?.between?.to, this.#registry, sender.buildingId);
		if ('path' in place) {
			const foreign = outsideScope(sender, candidate.sensorId, this.#registry);
			if (foreign) throw refusal('forbidden', foreign, index);
			// One that is registered, elsewhere, does not wait to be adopted.
			if (this.#registry.sensor(candidate.sensorId)) throw refusal('invalid_reading', place, index);
			throw new UnknownSensor(candidate.sensorId, candidate.metric, place, index);
		}
		const denied = notAllowed(sender, candidate.sensorId, place.buildingId, this.#registry);
		if (denied) throw refusal('forbidden', denied, index);
		const value = door?.cumulative ? totalOf(door, candidate.value) : toCatalogUnit(definition, candidate.value, candidate.unit);
		if (typeof value !== 'number') throw refusal('invalid_reading', value, index);
		const time = observedTime(candidate.observedAt, receivedAt, this.#clock.quality);
		if ('path' in time) throw refusal('invalid_reading', time, index);
		// Whether or not there is room for its reading, the device is there. What is replayed was heard long ago.
		if (replayOf === undefined) this.#availability?.heard(candidate.sensorId, candidate.metric, place, frame, receivedAt);
		return {
			incoming: candidate,
			definition,
			value,
			buildingId: place.buildingId,
			roomId: place.roomId,
			observedAt: time.observedAt,
			timeQuality: time.timeQuality,
			deviceTime: time.deviceTime,
			key: dedupKey(candidate, place.buildingId, place.roomId) ?? (replayOf === undefined ? undefined : replayKey(candidate, replayOf, index)),
			bridge: sender.bridge,
			door,
		};
	}

	#storeOne(frame: Frame, item: Checked, receivedAt: number, account: Account, settled: Settled): void {
		const { key } = item;
		const verdict = key ? this.#log.look(key) : 'new';
		if (verdict === 'duplicate') {
			const known = settlement(account, { taken: 0, duplicates: 1, restarts: 0 }, COUNTS_NOTHING, settled, this.#onDeferred);
			this.#followDuplicate(frame, item, receivedAt);
			this.#log.durable().then(() => known(), known);
			return;
		}
		const applied: Applied[] = item.definition.kind === 'flow' ? [] : COUNTS_NOTHING;
		const offset = this.#log.nextOffset;
		const payload = this.#encode(item, legsFor(item)[0], offset, receivedAt, frame.transport, applied);
		const counts = { taken: 1, duplicates: 0, restarts: verdict === 'restart' ? 1 : 0 };
		const told = this.#trace?.watching ? this.#followed(frame, item, receivedAt, offset, settled) : settled;
		this.#log.enqueue(payload, receivedAt, key, settlement(account, counts, applied, told, this.#onDeferred));
	}

	#storeAll(frame: Frame, checked: Checked[], receivedAt: number, account: Account, settled: Settled): void {
		const records: AppendRecord[] = [];
		const applied: Applied[] = [];
		const inThisBatch = new Set<string>();
		let told = settled;
		let offset = this.#log.nextOffset;
		const counts = { taken: 0, duplicates: 0, restarts: 0 };
		for (const item of checked) {
			const before = records.length;
			for (const leg of legsFor(item)) {
				// A door between two rooms makes a record for each: one that a crash cut off is made up for by itself when the reading comes again.
				const key = leg && item.key && item.door?.between ? { ...item.key, source: `${item.key.source} ${leg.direction}` } : item.key;
				if (key) {
					const verdict = this.#log.look(key);
					const spelled = `${key.source} ${key.boot} ${key.seq} ${key.hash}`;
					if (verdict === 'duplicate' || inThisBatch.has(spelled)) continue;
					inThisBatch.add(spelled);
					if (verdict === 'restart' && records.length === before) counts.restarts++;
				}
				if (this.#trace?.watching) told = this.#followed(frame, item, receivedAt, offset, told);
				records.push({ payload: this.#encode(item, leg, offset++, receivedAt, frame.transport, applied), at: receivedAt, key });
			}
			if (records.length > before) counts.taken++;
			else {
				counts.duplicates++;
				this.#followDuplicate(frame, item, receivedAt);
			}
		}
		const ofRooms = settlement(
			this.#ledger.rooms,
			{ taken: records.length - counts.taken, duplicates: 0, restarts: 0 },
			COUNTS_NOTHING,
			() => undefined,
			NOT_TOLD,
		);
		this.#ledger.rooms.received += records.length - counts.taken;
		const ofSource = settlement(account, counts, applied, told, this.#onDeferred);
		const stored = (error?: Error, dropped?: boolean) => {
			ofRooms(error, dropped);
			ofSource(error, dropped);
		};
		const appended = records.length > 0 ? this.#log.append(records) : undefined;
		(counts.duplicates > 0 ? this.#log.durable().then(() => appended) : appended!).then((what) => stored(undefined, what?.dropped), stored);
	}

	/** Notes a stage of a frame. What goes well is noted only while somebody follows it. */
	#follow(frame: Frame, at: number, stage: Stage, { outcome = 'ok', ...more }: Partial<TraceEvent>): void {
		const { transport, source, sender, context } = frame;
		this.#trace?.note({
			at,
			stage,
			outcome,
			transport,
			source,
			sender: sender.id,
			domainName: sender.domainName,
			sensorId: context.sensorId,
			...more,
		});
	}

	#followDuplicate(frame: Frame, { incoming: { sensorId, seq, boot } }: Checked, at: number): void {
		const of = `seq ${seq}${boot === undefined ? '' : ` of boot ${boot}`}`;
		this.#follow(frame, at, 'judged', { outcome: 'duplicate', sensorId, detail: `${of} was here before, with the same content` });
	}

	/** For a reading that somebody follows: notes what it was made into, and whether it was stored. */
	#followed(
		frame: Frame,
		{ incoming, value, definition, buildingId, roomId, observedAt }: Checked,
		at: number,
		offset: number,
		settled: Settled,
	): Settled {
		const { sensorId, metric } = incoming;
		const id = `${this.#log.id}-${offset}`;
		this.#follow(frame, at, 'decoded', { sensorId, id, detail: JSON.stringify(incoming).slice(0, 500) });
		const place = `${buildingId}/${roomId}`;
		this.#follow(frame, at, 'normalized', {
			sensorId,
			id,
			detail: `${metric} ${value} ${definition.unit} of ${place}, observed ${new Date(observedAt).toISOString()}`,
		});
		this.#follow(frame, at, 'judged', { sensorId, id, detail: 'new' });
		return (error, accepted) => {
			if (!error) this.#follow(frame, at, 'stored', { sensorId, id, detail: `at offset ${offset}` });
			settled(error, accepted);
		};
	}

	/** Counts what a door says, so that the reading's value becomes the count of the leg's room. */
	#count(item: Checked, leg: Leg, offset: number, receivedAt: number, applied: Applied[]): CountedFields & { count: number } {
		const { sensorId, boot } = item.incoming;
		const { direction } = leg;
		// A device's clock may run ahead; what it tells of has happened all the same.
		const of = { door: sensorId, direction, at: Math.min(item.observedAt, receivedAt) };
		const change = this.#occupancy.apply(
			item.buildingId,
			leg.roomId,
			item.door?.cumulative ? { ...of, kind: 'total', total: item.value, boot } : { ...of, kind: 'crossings', count: item.value, receivedAt },
			{ offset, receivedAt },
		);
		applied.push(change);
		const { count, detected, clamped, interval } = change;
		return {
			count,
			interval,
			crossings: {
				in: change.in,
				out: change.out,
				...(item.door?.cumulative && (direction === 'in' ? { totalIn: item.value } : { totalOut: item.value })),
				...(detected && { detected }),
				...(clamped > 0 && { clamped }),
			},
		};
	}

	#encode(item: Checked, leg: Leg | undefined, offset: number, receivedAt: number, transport: Transport, applied: Applied[]): string {
		const { sensorId, metric, seq, boot } = item.incoming;
		const { value, buildingId, roomId, observedAt, timeQuality, deviceTime } = item;
		const { unit } = item.definition;
		const counted = leg && this.#count(item, leg, offset, receivedAt, applied);
		const reading = {
			sensorId,
			metric: counted ? ('peopleCount' as const) : metric,
			value: counted?.count ?? value,
			unit,
			buildingId,
			roomId: leg?.roomId ?? roomId,
			observedAt,
			receivedAt,
			transport,
			timeQuality,
			seq,
			boot,
			deviceTime,
			counted,
			era: this.#clock.era,
			bridge: item.bridge,
		};
		return this.#encoder.encode(reading, offset);
	}
}

/** The rooms whose counts a door's reading changes; one without a leg for every other reading. */
function legsFor({ definition, incoming, roomId, door }: Checked): readonly (Leg | undefined)[] {
	return definition.kind === 'flow' ? legsOf(incoming.metric as DoorMetric, roomId, door) : AS_IT_IS;
}

/**
 * What is done when the log has answered. A function of its own, so that what waits for the disk holds on to this and not to the frame: with
 * thousands under way, that is what the garbage collector has to carry.
 */
function settlement(
	account: Account,
	{ taken, duplicates, restarts }: { taken: number; duplicates: number; restarts: number },
	applied: Applied[],
	settled: Settled,
	onDeferred: OnDeferred,
): (error?: Error, dropped?: boolean) => void {
	const changes = applied.length > 0 ? applied : undefined;
	account.pending += taken + duplicates;
	return (error, dropped) => {
		account.pending -= taken + duplicates;
		if (error) {
			if (changes) for (const change of changes) change.undo();
			account.deferred += taken + duplicates;
			const deferral = asDeferral(error);
			if (deferral instanceof CrowdVisionError) onDeferred(deferral, taken + duplicates);
			settled(deferral, 0);
			return;
		}
		if (changes) for (const change of changes) change.stored();
		// By drop-newest: its sender is told that all is well, as it could do nothing about it.
		if (dropped) count(account.dropped, 'dropped-newest', taken);
		else account.accepted += taken;
		account.duplicates += duplicates;
		account.restarts += restarts;
		settled(undefined, taken + duplicates);
	};
}

/** What a decoder made of a message, in the account of its rule: what becomes of the readings is not counted there. */
function countDecoded(ofRule: Account, decoding: Decoding | Error): void {
	if (typeof decoding === 'string') count(ofRule.ignored, decoding);
	else if (!(decoding instanceof Error)) ofRule.accepted += 1;
	else {
		const { status, code } = asRefusal(decoding, true)!;
		if (status < 500) count(ofRule.rejected, code);
		else ofRule.deferred += 1;
	}
}

/** What the rejected list keeps of a frame. */
function refusalOf(frame: Refused, { code, message, details }: CrowdVisionError, now: number): Refusal {
	const { transport, source, port, sender, raw, context, contentType, receivedAt = now, parsed } = frame;
	const sensorId = context?.sensorId ?? sensorIdIn(parsed, details.index) ?? context?.onlySensorId;
	const refusal = { at: receivedAt, transport, source, port, sender, sensorId, code, message, path: details.path, raw, context, contentType };
	// A port's configuration says what its bytes leave out.
	return transport === 'serial' && parsed !== undefined ? { ...refusal, value: parsed } : refusal;
}

/** The sensor that a reading of a batch, or the only one, names. */
function sensorIdIn(parsed: unknown, index = 0): string | undefined {
	const reading: unknown = Array.isArray(parsed) ? parsed[index] : parsed;
	const sensorId = typeof reading === 'object' && reading !== null ? (reading as Candidate).sensorId : undefined;
	return typeof sensorId === 'string' ? sensorId.slice(0, 128) : undefined;
}

/**
 * Undefined for what is no refusal, but a mistake of ours. A decoder meets what strangers send: whatever it stumbles over counts as the message's
 * fault, or the message would come again without end.
 */
function asRefusal(error: Error, decoded: boolean): CrowdVisionError | undefined {
	if (error instanceof CrowdVisionError) return error;
	if (!(error instanceof DecodeError)) return decoded ? new CrowdVisionError('not_decoded', `The decoder stumbled: ${error.message}`) : undefined;
	if (error.code === 'not_decoded') return new CrowdVisionError('not_decoded', `The payload ${error.problem.message}`);
	return refusal('invalid_reading', error.problem, error.index);
}

function refusal(code: ErrorCode, problem: Problem, index: number): CrowdVisionError {
	return new CrowdVisionError(code, `reading ${index}: ${problem.path || 'it'} ${problem.message}`, { index, path: problem.path });
}
