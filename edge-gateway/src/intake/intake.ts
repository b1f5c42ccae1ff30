/** Takes one frame of any source: decodes it, and logs its readings or rejects it. */
import { BUILT_IN_METRICS, type CrowdVisionError, type MetricLookup } from '@crowdvision/contracts';
import type { Log } from '@crowdvision/log';
import type { Clock } from '../clock/clock.ts';
import { DecodeQueue } from '../decode/decode-queue.ts';
import type { DecodeBy } from '../decode/decoders.ts';
import { decodeCanonical, decodeReading } from '../decode/formats/canonical.ts';
import type { Decoded } from '../decode/message/candidate.ts';
import { type Decoding, NO_READING } from '../decode/message/decoder.ts';
import { parseJson } from '../decode/message/json.ts';
import { type Presence, stateIn } from '../decode/message/presence.ts';
import type { Admission } from '../devices/admission.ts';
import type { Availability } from '../devices/availability.ts';
import { Cadences } from '../devices/cadences.ts';
import type { Quarantine } from '../devices/quarantine.ts';
import { sightingOf, UnknownSensorError } from '../devices/unknown-sensor.ts';
import { type Completion, deliverTo, type Frame, type Refused } from '../frame.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { count, type Tally } from '../ledger/tally.ts';
import type { Occupancy } from '../occupancy/occupancy.ts';
import type { Registry } from '../registry.ts';
import { refusalOf } from '../rejected/refusal-of.ts';
import type { Rejected } from '../rejected/rejected.ts';
import type { Recorder } from '../trace/recorder.ts';
import type { Trace } from '../trace/trace.ts';
import type { OnDeferred } from './completion.ts';
import { FrameTrace } from './frame-trace.ts';
import { type Checked, type IntakeMetrics, ReadingValidator, toClientError } from './reading-validator.ts';
import { type Arrival, ReadingWriter } from './reading-writer.ts';

export interface IntakeParts {
	log: Log;
	clock: Clock;
	registry: Registry;
	occupancy: Occupancy;
	rejected: Rejected;
	ledger: Ledger;
	/** Which sensors may send; default: all. */
	admission?: Admission;
	/** Lists sensors whose place is not known. */
	quarantine?: Quarantine;
	/** Notified of every sensor that sends. */
	availability?: Availability;
	/** Learns how often each sensor speaks; default: anew, and nothing is kept. */
	cadences?: Cadences;
	/** Keeps the last raw frames. */
	recorder?: Recorder;
	trace?: Trace;
	/** Default: the built-in ones. */
	metrics?: IntakeMetrics;
	gatewayId: string;
}

/**
 * One frame on its way from a source to the log:
 *
 *   raw ─▶ decode ─▶ validate, identify, units, time ─▶ dedup ─▶ count people ─▶ log ─▶ onDurable
 *            └──────────────────┴─▶ rejected            └──────── ReadingWriter ───────┘
 *
 * Nothing changes before dedup, so a batch is taken whole or refused whole. From validation to the append everything
 * happens in one turn of the event loop, so no other frame comes between a decision and the record that follows from
 * it. Decoding may take longer; the sender's next frames wait for it.
 */
export class Intake {
	readonly #log: Log;
	readonly #clock: Clock;
	readonly #validator: ReadingValidator;
	readonly #writer: ReadingWriter;
	readonly #rejected: Rejected;
	readonly #ledger: Ledger;
	readonly #quarantine: Quarantine | undefined;
	readonly #availability: Availability | undefined;
	readonly #recorder: Recorder | undefined;
	readonly #follow: FrameTrace;
	readonly #onDeferred: OnDeferred;
	readonly #catalog: MetricLookup;
	readonly #queue = new DecodeQueue();

	constructor(parts: IntakeParts) {
		const { log, clock, registry, admission, occupancy, ledger, trace, gatewayId } = parts;
		this.#log = log;
		this.#clock = clock;
		this.#rejected = parts.rejected;
		this.#ledger = ledger;
		this.#quarantine = parts.quarantine;
		this.#availability = parts.availability;
		this.#recorder = parts.recorder;
		this.#follow = new FrameTrace(trace, log.id);
		this.#onDeferred = ({ code, message }, readings) => trace?.deferred(code, message, readings, clock.now());
		const cadences =
			parts.cadences ?? new Cadences({ declared: (sensorId) => registry.sensor(sensorId)?.cadenceSeconds });
		this.#validator = new ReadingValidator({
			registry,
			admission,
			clock,
			cadences,
			doors: occupancy.doors,
			metrics: parts.metrics,
		});
		this.#catalog = parts.metrics?.catalog ?? BUILT_IN_METRICS;
		const [follow, onDeferred] = [this.#follow, this.#onDeferred];
		this.#writer = new ReadingWriter({ log, clock, occupancy, cadences, ledger, follow, onDeferred, gatewayId });
	}

	/**
	 * Resolves with the number of readings when all are durable; for a duplicate: when its original is.
	 * @throws CrowdVisionError `not_json`, `not_decoded`, `invalid_reading`, `unknown_sensor`, `not_admitted`,
	 * `forbidden`: refused, and kept in the rejected list. `log_full`, `unavailable`: not refused, to be delivered again.
	 */
	deliver(frame: Frame): Promise<number> {
		return deliverTo((each, onDurable) => this.take(each, onDurable))(frame);
	}

	/** As `deliver`, without a promise: for a source that takes thousands of frames a second. */
	take(frame: Frame, onDurable: Completion): void {
		const receivedAt = frame.receivedAt ?? this.#clock.now();
		if (frame.replayOf === undefined) this.#recorder?.record(frame, receivedAt, this.#log.nextOffset);
		if (this.#follow.watching)
			this.#follow.note(frame, receivedAt, 'received', { detail: `${frame.raw.length} bytes` });
		const arrival = { frame, receivedAt, tally: this.#ledger.of(frame.transport, frame.port), onDurable };
		if (frame.decodeBy !== undefined) this.#takeDecoded(arrival, frame.decodeBy);
		else if (this.#queue.isWaiting(frame.sender.id)) this.#takeInTurn(arrival);
		else this.#takeCanonical(arrival);
	}

	/** A frame in the gateway's own format: one reading, or an array of them. */
	#takeCanonical(arrival: Arrival): void {
		const { frame, tally } = arrival;
		let readings = 0;
		try {
			frame.parsed ??= parseJson(frame.raw);
			const reading = decodeReading(frame.parsed, frame.context);
			if (reading) {
				tally.received += readings = 1;
				this.#writer.writeOne(this.#check({ candidate: reading, index: 0 }, arrival), arrival);
			} else {
				const decoded = decodeCanonical(frame.parsed, frame.context, this.#catalog);
				tally.received += readings = decoded.length;
				const checked = decoded.map((one) => this.#check(one, arrival));
				this.#writer.writeAll(checked, arrival);
			}
		} catch (error) {
			if (readings === 0) tally.received += readings = 1;
			this.#fail(arrival, error as Error, readings);
		}
	}

	/** A frame in the gateway's own format, behind others of its sender that are still being decoded. */
	#takeInTurn(arrival: Arrival): void {
		const { frame, tally } = arrival;
		const { era } = this.#clock;
		try {
			this.#queue.run(
				frame.sender.id,
				frame.raw.length,
				() => undefined,
				() => this.#takeCanonical(this.#afterWaiting(arrival, era)),
			);
		} catch (error) {
			tally.received += 1;
			this.#fail(arrival, error as Error, 1);
		}
	}

	/**
	 * The arrival of a frame that has waited since. A time of receipt that was given before the clock knew the time means
	 * nothing once it does, so the frame then counts as received now.
	 */
	#afterWaiting(arrival: Arrival, era: number | undefined): Arrival {
		return era === this.#clock.era ? arrival : { ...arrival, receivedAt: this.#clock.now() };
	}

	/** A frame that a rule's decoder reads. It counts as one until it is decoded, then as the readings it holds. */
	#takeDecoded(arrival: Arrival, { rule, name, tellsOf }: DecodeBy): void {
		const { frame, receivedAt, tally } = arrival;
		const { raw, source, sender } = frame;
		const { era } = this.#clock;
		const ofRule = this.#ledger.part('decoder', rule.name);
		for (const each of [tally, ofRule]) {
			each.received += 1;
			each.decoding += 1;
		}
		const onDecoded = (error: Error | undefined, decoding?: Decoding) => {
			tally.decoding -= 1;
			ofRule.decoding -= 1;
			countDecoded(ofRule, error ?? decoding!);
			this.#storeDecoded(this.#afterWaiting(arrival, era), error ?? decoding!);
		};
		try {
			this.#queue.run<Decoding>(
				sender.id,
				raw.length,
				() =>
					presenceIn(raw, tellsOf) ??
					frame.decoding ??
					rule.decoder.decode({ raw, source, sender: sender.id, name, receivedAt, timeZone: rule.timeZone }),
				onDecoded,
			);
		} catch (error) {
			onDecoded(error as Error);
		}
	}

	#storeDecoded(arrival: Arrival, decoding: Decoding | Error): void {
		const { frame, receivedAt, tally } = arrival;
		if (decoding instanceof Error) return void this.#fail(arrival, decoding, 1);
		frame.decoding = decoding;
		if (typeof decoding === 'string') {
			count(tally.ignored, decoding);
			this.#follow.note(frame, receivedAt, 'decoded', { outcome: 'ignored', detail: NO_READING[decoding] });
			return void arrival.onDurable(undefined, 0);
		}
		if (!Array.isArray(decoding)) {
			count(tally.ignored, 'presence');
			const changed = this.#availability?.told(decoding, frame.sender) ?? [];
			this.#follow.presence(frame, decoding, changed, receivedAt);
			return void arrival.onDurable(undefined, 0);
		}
		tally.received += decoding.length - 1;
		try {
			const checked = decoding.map((decoded) =>
				this.#check({ ...decoded, candidate: this.#validator.complete(frame, decoded) }, arrival),
			);
			this.#writer.writeAll(checked, arrival);
		} catch (error) {
			this.#fail(arrival, error as Error, decoding.length);
		}
	}

	/** Ends a frame that is not on its way to the disk: it is refused for good, or is to be delivered again. */
	#fail({ frame, receivedAt, tally, onDurable }: Arrival, error: Error, readings: number): void {
		const clientError = toClientError(error, frame.decodeBy !== undefined);
		if (clientError && clientError.status < 500) {
			this.#refuse(frame, clientError, receivedAt, tally, readings).catch((reason: Error) => onDurable(reason, 0));
			return;
		}
		if (clientError) {
			tally.deferred += readings;
			this.#onDeferred(clientError, readings);
		}
		onDurable(error, 0);
	}

	/**
	 * For a frame that its source refuses itself: keeps it in the rejected list and counts it as one reading, received
	 * and rejected.
	 * @throws `error`, always
	 */
	refuse(frame: Refused, error: CrowdVisionError): Promise<never> {
		const tally = this.#ledger.of(frame.transport, frame.port);
		tally.received += 1;
		const now = this.#clock.now();
		if (frame.replayOf === undefined) this.#recorder?.record(frame, now, this.#log.nextOffset);
		return this.#refuse(frame, error, now, tally, 1);
	}

	async #refuse(
		frame: Refused,
		error: CrowdVisionError,
		receivedAt: number,
		tally: Tally,
		readings: number,
	): Promise<never> {
		count(tally.rejected, error.code, readings);
		// A replay that is refused again is in the list already.
		if (frame.replayOf !== undefined || frame.unlisted) throw error;
		const refusal = refusalOf(frame, error, receivedAt);
		if (error instanceof UnknownSensorError) this.#quarantine?.record(sightingOf(frame, error, refusal.at));
		await this.#rejected.add(refusal);
		throw error;
	}

	#check(decoded: Decoded, { frame, receivedAt }: Arrival): Checked {
		const checked = this.#validator.check(decoded, frame, receivedAt);
		const { sensorId, metric } = checked.incoming;
		// The device is there whether or not its reading can be stored. A replayed frame was sent long ago.
		if (frame.replayOf === undefined) this.#availability?.received(sensorId, metric, checked, frame, receivedAt);
		return checked;
	}
}

/**
 * Counts a decoder's result in the tally of its rule, in messages: what becomes of the readings is not counted there.
 */
function countDecoded(ofRule: Tally, decoding: Decoding | Error): void {
	if (typeof decoding === 'string') count(ofRule.ignored, decoding);
	else if (Array.isArray(decoding)) ofRule.accepted += 1;
	else if (!(decoding instanceof Error)) count(ofRule.ignored, 'presence');
	else {
		const { status, code } = toClientError(decoding, true)!;
		if (status < 500) count(ofRule.rejected, code);
		else ofRule.deferred += 1;
	}
}

/** Whose coming and going a message tells of, where its topic is for that and its payload says it. */
function presenceIn(raw: Buffer, of: DecodeBy['tellsOf']): Presence | undefined {
	const state = of && stateIn(raw);
	return state && { state, of };
}
