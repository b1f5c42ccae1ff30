/** Takes one frame of any source: decodes it, and logs its readings or rejects it. */
import { BUILT_IN_METRICS, CrowdVisionError, type MetricLookup } from '@crowdvision/contracts';
import type { Clock } from '../clock/clock.ts';
import { decodeMessage } from '../decode/decode-message.ts';
import { DecodeQueue } from '../decode/decode-queue.ts';
import type { DecodeBy } from '../decode/decoders.ts';
import { decodeFrame, decodeReading, parsePayload } from '../decode/formats/canonical.ts';
import type { Decoded } from '../decode/message/candidate.ts';
import { type Decoding, NO_READING, type NoReading } from '../decode/message/decoder.ts';
import type { Availability } from '../devices/availability.ts';
import { Cadences } from '../devices/cadences.ts';
import type { Quarantine } from '../devices/quarantine.ts';
import type { SensorNames } from '../devices/sensor-names.ts';
import { sightingOf, UnknownSensorError } from '../devices/unknown-sensor.ts';
import { type Completion, deliverTo, type Frame, type Refused } from '../frame.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { count, type Tally } from '../ledger/tally.ts';
import { refusalOf } from '../rejected/refusal-of.ts';
import type { Rejected } from '../rejected/rejected.ts';
import type { Recorder } from '../trace/recorder.ts';
import type { OnDeferred } from './completion.ts';
import { countDecoded } from './count-decoded.ts';
import { FrameTrace } from './frame-trace.ts';
import type { IntakeParts } from './intake-parts.ts';
import { named, nameStrangers } from './named.ts';
import { type NoteParts, noteDecoded, noteOwn, withWarnings } from './notes.ts';
import { noteRefused, notingTaken } from './origin.ts';
import { entriesOf, nothingSound, type Parts, partsOf, rejectedParts, sortParts } from './parts.ts';
import { type Checked, ReadingValidator, toClientError } from './reading-validator.ts';
import { type Arrival, type IntakeLog, ReadingWriter } from './reading-writer.ts';

/**
 * One frame on its way from a source to the log:
 *
 *   raw ─▶ decode ─▶ validate, identify, units, time ─▶ dedup ─▶ count people ─▶ log ─▶ onDurable
 *            └──────────────────┴─▶ rejected            └──────── ReadingWriter ───────┘
 *
 * Nothing changes before dedup, so an array is taken whole or refused whole; of a message of one device with several
 * figures what is sound is taken and the rest refused by name (parts.ts). From validation to the append everything
 * happens in one turn of the event loop, so no other frame comes between a decision and the record that follows from
 * it. Decoding may take longer; the sender's next frames wait for it.
 */
export class Intake {
	readonly #log: IntakeLog;
	readonly #clock: Clock;
	readonly #validator: ReadingValidator;
	readonly #writer: ReadingWriter;
	readonly #rejected: Pick<Rejected, 'add'>;
	readonly #ledger: Ledger;
	readonly #quarantine: Quarantine | undefined;
	readonly #availability: Availability | undefined;
	readonly #names: SensorNames | undefined;
	readonly #recorder: Recorder | undefined;
	readonly #follow: FrameTrace;
	readonly #notes: NoteParts;
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
		this.#names = parts.names;
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
		this.#notes = { ...parts.notes, names: this.#names, follow: this.#follow, catalog: this.#catalog };
		const [follow, onDeferred] = [this.#follow, this.#onDeferred];
		const { onWritten } = parts;
		const options = { log, clock, occupancy, cadences, registry, ledger, follow, onDeferred, onWritten, gatewayId };
		this.#writer = new ReadingWriter(options);
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
		const tally = this.#ledger.of(frame.transport, frame.port);
		const arrival = { frame, receivedAt, tally, onDurable: notingTaken(frame, this.#ledger.regressions, onDurable) };
		if (frame.decodeBy !== undefined) this.#takeDecoded(arrival, frame.decodeBy);
		else if (this.#queue.isWaiting(frame.sender.id)) this.#takeInTurn(arrival);
		else this.#takeCanonical(arrival);
	}

	/** Whether frames of a sender wait for a decoder. */
	isWaiting(senderId: string): boolean {
		return this.#queue.isWaiting(senderId);
	}

	/** A frame in the gateway's own format: one reading, several in the short form, or an array of them. */
	#takeCanonical(arrival: Arrival): void {
		const { frame, tally } = arrival;
		tally.received += 1;
		try {
			frame.parsed ??= parsePayload(frame);
			const reading = decodeReading(frame.parsed, frame.context);
			if (reading && !frame.parts)
				this.#writer.writeOne(this.#check({ candidate: reading, index: 0 }, arrival), arrival);
			else this.#store(arrival, noteOwn(arrival, decodeFrame(frame, this.#catalog), this.#notes));
		} catch (error) {
			this.#fail(arrival, error as Error, 1);
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
	#takeDecoded(arrival: Arrival, decodeBy: DecodeBy): void {
		const { rule, name } = decodeBy;
		const { frame, receivedAt, tally } = arrival;
		const { raw, source, sender } = frame;
		const { era } = this.#clock;
		const ofRule = this.#ledger.part('decoder', rule.name);
		const from = { raw, source, sender: sender.id, name, receivedAt, timeZone: rule.timeZone };
		const message = { ...from, unknown: [], warnings: [] };
		for (const each of [tally, ofRule]) {
			each.received += 1;
			each.decoding += 1;
		}
		const onDecoded = (error: Error | undefined, decoding?: Decoding) => {
			tally.decoding -= 1;
			ofRule.decoding -= 1;
			const result = noteDecoded(message, { frame, tally, rule }, error ?? decoding!, this.#notes);
			countDecoded(ofRule, result);
			this.#storeDecoded(this.#afterWaiting(arrival, era), result);
		};
		try {
			const decode = () => frame.decoding ?? decodeMessage(decodeBy, message);
			this.#queue.run<Decoding>(sender.id, raw.length, decode, onDecoded);
		} catch (error) {
			onDecoded(error as Error);
		}
	}

	#storeDecoded(arrival: Arrival, decoding: Decoding | Error): void {
		const { frame } = arrival;
		if (decoding instanceof Error) return void this.#fail(arrival, decoding, 1);
		frame.decoding = decoding;
		this.#store(arrival, decoding);
	}

	/** Stores what is sound of a message that has been counted as one. Never throws. */
	#store(arrival: Arrival, decoding: Decoding): void {
		const { frame, receivedAt, tally } = arrival;
		if (typeof decoding === 'string') return void this.#ignore(arrival, decoding);
		if (!Array.isArray(decoding)) {
			count(tally.ignored, 'presence');
			const changed = this.#availability?.told(this.#names?.presence(decoding) ?? decoding, frame.sender) ?? [];
			this.#follow.presence(frame, decoding, changed, receivedAt);
			return void arrival.onDurable(undefined, 0);
		}
		let decoded: readonly Decoded[] = decoding;
		let parts: Parts;
		try {
			// Who it is comes first: a sensor that is registered stays in its room, whatever the rule's defaults say.
			decoded = decoded.map((one) => {
				const identified = named(one, frame, this.#names);
				return frame.decodeBy ? this.#validator.completed(frame, identified) : identified;
			});
			const keyed = partsOf(decoded, frame.parts);
			decoded = keyed.decoded;
			tally.received += decoded.length - 1;
			parts = sortParts(keyed, frame, (one) => this.#check(one, arrival));
		} catch (error) {
			nameStrangers(error as Error, decoded, (one) => this.#validator.check(one, frame, receivedAt));
			return void this.#fail(arrival, error as Error, decoded.length);
		}
		if (parts.refused.length === 0) this.#writer.writeAll(parts.checked, arrival);
		else if (parts.checked.length > 0) this.#writer.writeAll(parts.checked, this.#inPart(arrival, parts));
		else this.#refuseParts(arrival, parts, nothingSound(parts.refused));
	}

	/** Ends a message without a reading, which is not refused. A person or program that waits for an answer is told. */
	#ignore({ frame, receivedAt, tally, onDurable }: Arrival, reason: NoReading): void {
		count(tally.ignored, reason);
		const outcome = reason === 'no_value' ? 'no_value' : 'ignored';
		if (reason !== 'unknown_field')
			this.#follow.note(frame, receivedAt, 'decoded', { outcome, detail: withWarnings(NO_READING[reason], frame) });
		const isAsked = frame.transport === 'http' || frame.transport === 'socket.io';
		const refusal = new CrowdVisionError('no_value', `Nothing was stored: ${NO_READING.no_value}`);
		onDurable(reason === 'no_value' && isAsked ? refusal : undefined, 0);
	}

	/** The arrival of a message of which a part is refused: that part is listed once the others are stored. */
	#inPart(arrival: Arrival, { checked, refused }: Parts): Arrival {
		const { frame, tally } = arrival;
		tally.pending += refused.length;
		const onDurable: Completion = (error, accepted) => {
			tally.pending -= refused.length;
			if (!error) {
				frame.rejected = rejectedParts(refused);
				return this.#refuseParts(arrival, { checked, refused }, undefined, accepted);
			}
			// It comes again, as a whole.
			tally.deferred += refused.length;
			arrival.onDurable(error, 0);
		};
		return { ...arrival, onDurable };
	}

	/** Counts and lists refused parts, then ends the frame: with `error`, or as taken with `accepted` readings. */
	#refuseParts({ frame, receivedAt, tally, onDurable }: Arrival, parts: Parts, error?: Error, accepted = 0): void {
		for (const part of parts.refused) {
			count(tally.rejected, part.error.code);
			if (part.error instanceof UnknownSensorError) this.#quarantine?.record(sightingOf(frame, part.error, receivedAt));
		}
		if (parts.checked.length === 0 && frame.replayOf === undefined)
			noteRefused(frame, parts.refused[0]?.sensorId, this.#ledger.regressions, this.#availability);
		Promise.all(entriesOf(frame, parts, receivedAt).map((entry) => this.#rejected.add(entry))).then(
			() => onDurable(error, accepted),
			(reason: Error) => onDurable(reason, 0),
		);
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

	/** Counts a message that its source knows to hold no reading, and with which nothing is wrong. */
	ignore(frame: Frame, reason: NoReading): void {
		const tally = this.#ledger.of(frame.transport, frame.port);
		tally.received += 1;
		this.#ignore({ frame, receivedAt: this.#clock.now(), tally, onDurable: () => undefined }, reason);
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
		if (frame.replayOf !== undefined) throw error;
		const refusal = refusalOf(frame, error, receivedAt);
		noteRefused(frame, refusal.sensorId, this.#ledger.regressions, this.#availability);
		if (frame.unlisted) throw error;
		for (const stranger of error instanceof UnknownSensorError ? [error, ...error.others] : [])
			this.#quarantine?.record(sightingOf(frame, stranger, refusal.at));
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
