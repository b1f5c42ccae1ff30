import type { CrowdVisionError, Transport } from '@crowdvision/contracts';
import type { AppendRecord, Log } from '@crowdvision/log';
import type { Clock } from '../clock/clock.ts';
import { DecodeQueue } from '../decode/decode-queue.ts';
import type { DecodeBy } from '../decode/decoders.ts';
import { decodeCanonical, decodeReading } from '../decode/formats/canonical.ts';
import type { Candidate } from '../decode/message/candidate.ts';
import { type Decoding, NO_READING } from '../decode/message/decoder.ts';
import { parseJson } from '../decode/message/json.ts';
import type { Admission } from '../devices/admission.ts';
import type { Availability } from '../devices/availability.ts';
import type { Quarantine } from '../devices/quarantine.ts';
import { sightingOf, UnknownSensor } from '../devices/unknown-sensor.ts';
import { type Completion, type Deliver, deliverTo, type Frame, type Refused } from '../frame.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { type Account, count } from '../ledger/tally.ts';
import { type CountedFields, ReadingEncoder } from '../normalize/reading-encoder.ts';
import { type DoorMetric, type Leg, legsOf } from '../occupancy/doors.ts';
import type { Applied, Occupancy } from '../occupancy/occupancy.ts';
import type { Registry } from '../registry.ts';
import { refusalOf } from '../rejected/refusal-of.ts';
import type { Rejected } from '../rejected/rejected.ts';
import type { Recorder } from '../trace/recorder.ts';
import type { Trace } from '../trace/trace.ts';
import { completion, NOT_TOLD, type OnDeferred } from './completion.ts';
import { FrameTrace } from './frame-trace.ts';
import { asRefusal, type Checked, Judge } from './reading-validator.ts';

const COUNTS_NOTHING: Applied[] = [];
/** A reading that is no door's is stored as it is. */
const AS_IT_IS: readonly undefined[] = [undefined];

/**
 * One frame on its way from a source to the log:
 *
 *   raw ─▶ decode ─▶ validate ─▶ identify ─▶ units, clock ─▶ dedup ─▶ crossings to count ─▶ log ─▶ acknowledged
 *            └───────────┴────────────┴────────────┴─▶ rejected
 *
 * Up to dedup nothing is changed, so a batch is taken whole or refused whole. From validate to the log's append
 * everything happens in one turn of the event loop, so no other frame comes between a judgement and the write it led
 * to. Decoding may take longer; what else its sender sends waits for it.
 */
export class Intake {
	readonly #log: Log;
	readonly #clock: Clock;
	readonly #judge: Judge;
	readonly #occupancy: Occupancy;
	readonly #rejected: Rejected;
	readonly #ledger: Ledger;
	readonly #quarantine: Quarantine | undefined;
	readonly #availability: Availability | undefined;
	readonly #encoder: ReadingEncoder;
	readonly #queue = new DecodeQueue();
	readonly #recorder: Recorder | undefined;
	readonly #follow: FrameTrace;
	readonly #onDeferred: OnDeferred;
	readonly #deliver: Deliver = deliverTo((frame, onDurable) => this.take(frame, onDurable));

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
		this.#quarantine = parts.quarantine;
		this.#availability = parts.availability;
		this.#recorder = parts.recorder;
		this.#follow = new FrameTrace(parts.trace, parts.log.id);
		this.#onDeferred = ({ code, message }, readings) =>
			parts.trace?.deferred(code, message, readings, this.#clock.now());
		this.#log = parts.log;
		this.#clock = parts.clock;
		const { registry, admission, clock, occupancy } = parts;
		this.#judge = new Judge({ registry, admission, clock, doors: occupancy.doors });
		this.#occupancy = parts.occupancy;
		this.#rejected = parts.rejected;
		this.#ledger = parts.ledger;
		this.#encoder = new ReadingEncoder(parts.log.id, parts.gatewayId);
	}

	/**
	 * Resolves, with the number of readings, when all are durable (a duplicate: when its original is).
	 * @throws CrowdVisionError `not_json`, `invalid_reading`, `unknown_sensor`, `not_admitted`, `forbidden` (refused, and
	 * kept in the rejected list);
	 * `log_full`, `unavailable` (not refused: to be delivered again).
	 */
	deliver(frame: Frame): Promise<number> {
		return this.#deliver(frame);
	}

	/** As `deliver`, for a source that does it thousands of times a second. */
	take(frame: Frame, onDurable: Completion): void {
		const receivedAt = frame.receivedAt ?? this.#clock.now();
		if (frame.replayOf === undefined) this.#recorder?.record(frame, receivedAt, this.#log.nextOffset);
		if (this.#follow.watching)
			this.#follow.note(frame, receivedAt, 'received', { detail: `${frame.raw.length} bytes` });
		if (frame.decodeBy !== undefined) this.#takeDecoded(frame, frame.decodeBy, receivedAt, onDurable);
		else if (this.#queue.holds(frame.sender.id)) this.#takeInTurn(frame, receivedAt, onDurable);
		else this.#takeCanonical(frame, receivedAt, onDurable);
	}

	#takeCanonical(frame: Frame, receivedAt: number, onDurable: Completion): void {
		const account = this.#ledger.of(frame.transport, frame.port);
		let readings = 0;
		try {
			frame.parsed ??= parseJson(frame.raw);
			const reading = decodeReading(frame.parsed, frame.context);
			if (reading) {
				account.received += readings = 1;
				const checked = this.#check(reading, 0, frame, receivedAt);
				if (checked.door?.between) this.#storeAll(frame, [checked], receivedAt, account, onDurable);
				else this.#storeOne(frame, checked, receivedAt, account, onDurable);
			} else {
				const decoded = decodeCanonical(frame.parsed, frame.context);
				account.received += readings = decoded.length;
				const checked = decoded.map(({ candidate, index }) => this.#check(candidate, index, frame, receivedAt));
				this.#storeAll(frame, checked, receivedAt, account, onDurable);
			}
		} catch (error) {
			if (readings === 0) account.received += readings = 1;
			this.#settle(frame, error as Error, receivedAt, account, readings, onDurable);
		}
	}

	/** A frame in the gateway's own format, behind others of its sender that are still being decoded. */
	#takeInTurn(frame: Frame, receivedAt: number, onDurable: Completion): void {
		const { era } = this.#clock;
		try {
			this.#queue.run(
				frame.sender.id,
				frame.raw.length,
				() => undefined,
				() => this.#takeCanonical(frame, this.#since(era, receivedAt), onDurable),
			);
		} catch (error) {
			const account = this.#ledger.of(frame.transport, frame.port);
			account.received += 1;
			this.#settle(frame, error as Error, receivedAt, account, 1, onDurable);
		}
	}

	/**
	 * When a message was received that has waited since: a time of an era in which the time was not known means nothing
	 * after it.
	 */
	#since(era: number | undefined, receivedAt: number): number {
		return era === this.#clock.era ? receivedAt : this.#clock.now();
	}

	#takeDecoded(frame: Frame, { rule, name }: DecodeBy, receivedAt: number, onDurable: Completion): void {
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
			this.#storeDecoded(frame, error ?? decoding!, this.#since(era, receivedAt), account, onDurable);
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
	#storeDecoded(
		frame: Frame,
		decoding: Decoding | Error,
		receivedAt: number,
		account: Account,
		onDurable: Completion,
	): void {
		if (decoding instanceof Error) return void this.#settle(frame, decoding, receivedAt, account, 1, onDurable);
		frame.decoding = decoding;
		if (typeof decoding === 'string') {
			count(account.ignored, decoding);
			this.#follow.note(frame, receivedAt, 'decoded', { outcome: 'ignored', detail: NO_READING[decoding] });
			return void onDurable(undefined, 0);
		}
		account.received += decoding.length - 1;
		try {
			const checked = decoding.map((decoded) =>
				this.#check(this.#judge.complete(frame, decoded), decoded.index, frame, receivedAt),
			);
			this.#storeAll(frame, checked, receivedAt, account, onDurable);
		} catch (error) {
			this.#settle(frame, error as Error, receivedAt, account, decoding.length, onDurable);
		}
	}

	/** Tells what became of a frame that is not on its way to the disk: refused for good, or to be delivered again. */
	#settle(
		frame: Frame,
		error: Error,
		receivedAt: number,
		account: Account,
		readings: number,
		onDurable: Completion,
	): void {
		const refused = asRefusal(error, frame.decodeBy !== undefined);
		if (refused && refused.status < 500) {
			this.#refuse(frame, refused, receivedAt, account, readings).catch((reason: Error) => onDurable(reason, 0));
			return;
		}
		if (refused) {
			account.deferred += readings;
			this.#onDeferred(refused, readings);
		}
		onDurable(error, 0);
	}

	/**
	 * For a frame that its source does not even hand over: keeps it in the rejected list, counts it as one reading
	 * received and rejected, and rejects with `error`.
	 */
	refuse(frame: Refused, error: CrowdVisionError): Promise<never> {
		const account = this.#ledger.of(frame.transport, frame.port);
		account.received += 1;
		const now = this.#clock.now();
		if (frame.replayOf === undefined) this.#recorder?.record(frame, now, this.#log.nextOffset);
		return this.#refuse(frame, error, now, account, 1);
	}

	async #refuse(
		frame: Refused,
		error: CrowdVisionError,
		receivedAt: number,
		account: Account,
		readings: number,
	): Promise<never> {
		count(account.rejected, error.code, readings);
		// What is refused again is in the list already.
		if (frame.replayOf !== undefined || frame.unlisted) throw error;
		const refusal = refusalOf(frame, error, receivedAt);
		if (error instanceof UnknownSensor) this.#quarantine?.see(sightingOf(frame, error, refusal.at));
		await this.#rejected.add(refusal);
		throw error;
	}

	#check(candidate: Candidate, index: number, frame: Frame, receivedAt: number): Checked {
		const checked = this.#judge.check(candidate, index, frame, receivedAt);
		const { sensorId, metric } = checked.incoming;
		// Whether or not there is room for its reading, the device is there. What is replayed was heard long ago.
		if (frame.replayOf === undefined) this.#availability?.heard(sensorId, metric, checked, frame, receivedAt);
		return checked;
	}

	#storeOne(frame: Frame, item: Checked, receivedAt: number, account: Account, onDurable: Completion): void {
		const { key } = item;
		const verdict = key ? this.#log.look(key) : 'new';
		if (verdict === 'duplicate') {
			const known = completion(
				account,
				{ taken: 0, duplicates: 1, restarts: 0 },
				COUNTS_NOTHING,
				onDurable,
				this.#onDeferred,
			);
			this.#follow.duplicate(frame, item, receivedAt);
			this.#log.durable().then(() => known(), known);
			return;
		}
		const applied: Applied[] = item.definition.kind === 'flow' ? [] : COUNTS_NOTHING;
		const offset = this.#log.nextOffset;
		const payload = this.#encode(item, legsFor(item)[0], offset, receivedAt, frame.transport, applied);
		const counts = { taken: 1, duplicates: 0, restarts: verdict === 'restart' ? 1 : 0 };
		const told = this.#follow.watching ? this.#follow.followed(frame, item, receivedAt, offset, onDurable) : onDurable;
		this.#log.enqueue(payload, receivedAt, key, completion(account, counts, applied, told, this.#onDeferred));
	}

	#storeAll(frame: Frame, checked: Checked[], receivedAt: number, account: Account, onDurable: Completion): void {
		const records: AppendRecord[] = [];
		const applied: Applied[] = [];
		const inThisBatch = new Set<string>();
		let told = onDurable;
		let offset = this.#log.nextOffset;
		const counts = { taken: 0, duplicates: 0, restarts: 0 };
		for (const item of checked) {
			const before = records.length;
			for (const leg of legsFor(item)) {
				// A door between two rooms makes a record for each: one that a crash cut off is made up for by itself when the
				// reading comes again.
				const key =
					leg && item.key && item.door?.between
						? { ...item.key, source: `${item.key.source} ${leg.direction}` }
						: item.key;
				if (key) {
					const verdict = this.#log.look(key);
					const spelled = `${key.source} ${key.boot} ${key.seq} ${key.hash}`;
					if (verdict === 'duplicate' || inThisBatch.has(spelled)) continue;
					inThisBatch.add(spelled);
					if (verdict === 'restart' && records.length === before) counts.restarts++;
				}
				if (this.#follow.watching) told = this.#follow.followed(frame, item, receivedAt, offset, told);
				records.push({
					payload: this.#encode(item, leg, offset++, receivedAt, frame.transport, applied),
					at: receivedAt,
					key,
				});
			}
			if (records.length > before) counts.taken++;
			else {
				counts.duplicates++;
				this.#follow.duplicate(frame, item, receivedAt);
			}
		}
		const ofRooms = completion(
			this.#ledger.rooms,
			{ taken: records.length - counts.taken, duplicates: 0, restarts: 0 },
			COUNTS_NOTHING,
			() => undefined,
			NOT_TOLD,
		);
		this.#ledger.rooms.received += records.length - counts.taken;
		const ofSource = completion(account, counts, applied, told, this.#onDeferred);
		const stored = (error?: Error, dropped?: boolean) => {
			ofRooms(error, dropped);
			ofSource(error, dropped);
		};
		const appended = records.length > 0 ? this.#log.append(records) : undefined;
		(counts.duplicates > 0 ? this.#log.durable().then(() => appended) : appended!).then(
			(what) => stored(undefined, what?.dropped),
			stored,
		);
	}

	/** Counts what a door says, so that the reading's value becomes the count of the leg's room. */
	#count(
		item: Checked,
		leg: Leg,
		offset: number,
		receivedAt: number,
		applied: Applied[],
	): CountedFields & { count: number } {
		const { sensorId, boot } = item.incoming;
		const { direction } = leg;
		// A device's clock may run ahead; what it tells of has happened all the same.
		const of = { door: sensorId, direction, at: Math.min(item.observedAt, receivedAt) };
		const change = this.#occupancy.apply(
			item.buildingId,
			leg.roomId,
			item.door?.cumulative
				? { ...of, kind: 'total', total: item.value, boot }
				: { ...of, kind: 'crossings', count: item.value, receivedAt },
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

	#encode(
		item: Checked,
		leg: Leg | undefined,
		offset: number,
		receivedAt: number,
		transport: Transport,
		applied: Applied[],
	): string {
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
