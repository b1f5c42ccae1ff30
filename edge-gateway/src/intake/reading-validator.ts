/** Checks that a decoded reading is valid and that its sender may send it. */
import {
	BUILT_IN_METRICS,
	CrowdVisionError,
	type ErrorCode,
	type IncomingReading,
	incomingReading,
	isDoorMetric,
	type MetricDefinition,
	type MetricLookup,
	type Problem,
	type TimeQuality,
} from '@crowdvision/contracts';
import type { DedupKey } from '@crowdvision/log';
import type { Clock } from '../clock/clock.ts';
import { withDefaults } from '../decode/decoders.ts';
import { withContext } from '../decode/formats/canonical.ts';
import { type Candidate, type Decoded, DecodeError } from '../decode/message/candidate.ts';
import { isNoValue, numberIn } from '../decode/message/number.ts';
import type { Admission } from '../devices/admission.ts';
import type { Cadences } from '../devices/cadences.ts';
import { UnknownSensorError } from '../devices/unknown-sensor.ts';
import type { Frame } from '../frame.ts';
import { dedupKey, replayKey } from '../normalize/dedupe.ts';
import {
	buildingOf,
	notAllowed,
	outsideScope,
	placeOf,
	type Sender,
	seriesIdOf,
	spelled,
} from '../normalize/identify.ts';
import { observedTime } from '../normalize/observed-time.ts';
import { toCatalogUnit } from '../normalize/units.ts';
import { type Door, type Doors, totalOf } from '../occupancy/doors.ts';
import type { Registry } from '../registry.ts';
import { EarlierInFrame } from './earlier-in-frame.ts';

/** A reading that passed every check, with its place, its value in the catalog's unit, and its time. */
export interface Checked {
	/** As the device sent it. */
	incoming: IncomingReading;
	definition: MetricDefinition;
	/** In the unit of `definition`; of a cumulative door: the total. */
	value: number;
	buildingId: string;
	roomId: string;
	/** As `seriesIdOf`. */
	seriesId: string;
	/** Of the room; undefined for a room that is unknown, or that an earlier version made. */
	generation: string | undefined;
	/** The domain of the device, if the building is unknown: whose building it will be is not known yet. */
	senderDomain: string | undefined;
	/** `value` is the upper end of the range, and what was sent lay a little above it. */
	clipped: boolean;
	/** Epoch ms. */
	observedAt: number;
	timeQuality: TimeQuality;
	deviceTime: string | number | undefined;
	/** Undefined for a reading without `seq`: its redelivery cannot be recognized. */
	key: DedupKey | undefined;
	/** Name of the bridge it came by. */
	bridge: string | undefined;
	/** The configuration of the door it is from. */
	door: Door | undefined;
	/** Whether its message says again what was said before. */
	restated: Decoded['restated'];
}

export interface ReadingValidatorParts {
	registry: Registry;
	/** Which sensors may send; default: all. */
	admission?: Admission | undefined;
	doors: Pick<Doors, 'of'>;
	clock: Pick<Clock, 'quality'>;
	/** Default: the built-in ones. */
	metrics?: IntakeMetrics | undefined;
	/** Knows when each sensor was heard last, to tell apart the hours that clocks show twice. */
	cadences?: Pick<Cadences, 'lastAt'> | undefined;
}

/** The metrics that readings may be of. */
export interface IntakeMetrics {
	catalog: MetricLookup;
	/** The unit of readings that name none, if it is not the catalog's. */
	assumedUnit?(key: string): string | undefined;
}

const BUILT_IN: IntakeMetrics = { catalog: BUILT_IN_METRICS };
const UNKNOWN_METRIC: Problem = { path: '/metric', message: 'must be a key of the metric catalog' };

/**
 * Checks that a decoded reading is valid and that its sender may send it, and finds its place, value and time. Changes
 * nothing.
 */
export class ReadingValidator {
	readonly #registry: Registry;
	readonly #admission: Admission | undefined;
	readonly #doors: Pick<Doors, 'of'>;
	readonly #clock: Pick<Clock, 'quality'>;
	readonly #metrics: IntakeMetrics;
	readonly #cadences: Pick<Cadences, 'lastAt'> | undefined;
	readonly #earlier = new EarlierInFrame();

	constructor({ registry, admission, doors, clock, metrics = BUILT_IN, cadences }: ReadingValidatorParts) {
		this.#registry = registry;
		this.#admission = admission;
		this.#doors = doors;
		this.#clock = clock;
		this.#metrics = metrics;
		this.#cadences = cadences;
	}

	/** Fills in what a decoded reading leaves to its topic, its decoder's rule and its sender. @throws DecodeError */
	complete({ context, decodeBy, sender }: Frame, { candidate, index }: Decoded): Candidate {
		const isRegistered = (sensorId: string) => this.#registry.sensor(sensorId, sender) !== undefined;
		return withDefaults(
			withContext(candidate, context, index),
			decodeBy!.rule.defaults,
			context.onlySensorId,
			isRegistered,
		);
	}

	/** Fills in what a decoded reading leaves to its topic, rule and sender; a contradiction is its mistake. */
	completed(frame: Frame, decoded: Decoded): Decoded {
		if (decoded.mistake) return decoded;
		try {
			return { ...decoded, candidate: this.complete(frame, decoded) };
		} catch (error) {
			if (error instanceof DecodeError) return { ...decoded, mistake: error };
			throw error;
		}
	}

	/** @throws CrowdVisionError `invalid_reading`, `unknown_sensor`, `not_admitted`, `forbidden` */
	check({ candidate: decoded, index, restated }: Decoded, frame: Frame, receivedAt: number): Checked {
		const { sender, replayOf } = frame;
		const candidate = spelled(wellFormed(decoded, index), this.#registry, sender);
		const definition = this.#metrics.catalog.definition(candidate.metric);
		if (!definition) throw new ReadingError('invalid_reading', UNKNOWN_METRIC, index);
		const excluded = this.#admission?.refusal(candidate.sensorId, sender);
		if (excluded !== undefined)
			throw new CrowdVisionError('not_admitted', `reading ${index}: ${excluded}`, { index, path: '/sensorId' });
		const door = isDoorMetric(candidate.metric) ? this.#doorOf(candidate, sender) : undefined;
		const place = placeOf(
			candidate.sensorId,
			candidate.buildingId,
			candidate.roomId ?? door?.between?.to,
			this.#registry,
			sender,
		);
		if ('path' in place) {
			const foreign = outsideScope(sender, candidate.sensorId, this.#registry);
			if (foreign) throw new ReadingError('forbidden', foreign, index);
			// A sensor that is registered in another building does not wait to be adopted.
			if (this.#registry.sensor(candidate.sensorId, sender)) throw new ReadingError('invalid_reading', place, index);
			throw new UnknownSensorError(candidate.sensorId, candidate.metric, place, index);
		}
		const forbidden = notAllowed(sender, candidate.sensorId, place.buildingId, this.#registry);
		if (forbidden) throw new ReadingError('forbidden', forbidden, index);
		const value = door?.cumulative
			? totalOf(door, candidate.value)
			: toCatalogUnit(definition, candidate.value, candidate.unit ?? this.#metrics.assumedUnit?.(candidate.metric));
		if (typeof value !== 'number') throw new ReadingError('invalid_reading', value, index);
		const clipped = value > definition.max && !door?.cumulative;
		const seriesId = seriesIdOf(sender, candidate.sensorId, place.buildingId, this.#registry);
		const generation = this.#registry.generationOf(place.buildingId, place.roomId);
		const time = this.#timeOf(candidate, seriesId, index, frame, receivedAt);
		if ('path' in time) throw new ReadingError('invalid_reading', time, index);
		return {
			incoming: candidate,
			definition,
			value: clipped ? definition.max : value,
			clipped,
			buildingId: place.buildingId,
			roomId: place.roomId,
			seriesId,
			generation,
			// What belongs to no known room is its sender's, also when the building is gone.
			senderDomain: generation === undefined && !this.#hasRoom(place) ? sender.domainName : undefined,
			observedAt: time.observedAt,
			timeQuality: time.timeQuality,
			deviceTime: time.deviceTime,
			key:
				dedupKey(candidate, place.buildingId, place.roomId, { seriesId, generation }) ??
				(replayOf === undefined ? undefined : replayKey(candidate, replayOf, index)),
			bridge: sender.bridge,
			door,
			restated: restated ?? (frame.retained ? (candidate.observedAt === undefined ? 'undated' : 'dated') : undefined),
		};
	}

	#doorOf({ sensorId, buildingId }: IncomingReading, sender: Sender): Door | undefined {
		return this.#doors.of(sensorId, buildingOf(sensorId, buildingId, this.#registry, sender));
	}

	#hasRoom({ buildingId, roomId }: { buildingId: string; roomId: string }): boolean {
		return this.#registry.building(buildingId)?.rooms.some(({ id }) => id === roomId) ?? false;
	}

	#timeOf({ metric, observedAt }: IncomingReading, seriesId: string, index: number, frame: Frame, receivedAt: number) {
		const zone = frame.context.timeZone ?? frame.decodeBy?.rule.timeZone;
		const series = `${seriesId} ${metric}`;
		const stated = typeof observedAt === 'string' && isNoValue(observedAt) ? undefined : observedAt;
		const time = observedTime(stated, receivedAt, {
			quality: this.#clock.quality,
			zone,
			previous: () =>
				this.#earlier.at(frame, series, index) ??
				this.#cadences?.lastAt(seriesId, isDoorMetric(metric) ? 'peopleCount' : metric),
		});
		if (zone !== undefined && 'observedAt' in time) this.#earlier.note(frame, series, index, time.observedAt);
		return time;
	}
}

/**
 * What the sender of a frame is told of an error; undefined for a mistake of this program. Whatever a decoder fails at
 * counts as a fault of the message: else the message would come again without end.
 * @param decoded whether a rule's decoder has read the frame
 */
export function toClientError(error: Error, decoded: boolean): CrowdVisionError | undefined {
	if (error instanceof CrowdVisionError) return error;
	if (!(error instanceof DecodeError))
		return decoded ? new CrowdVisionError('not_decoded', `The decoder failed: ${error.message}`) : undefined;
	if (error.code === 'not_decoded') return new CrowdVisionError('not_decoded', `The payload ${error.problem.message}`);
	return new ReadingError('invalid_reading', error.problem, error.index);
}

/** A reading breaks a rule. */
export class ReadingError extends CrowdVisionError {
	readonly problem: Problem;

	constructor(code: ErrorCode, problem: Problem, index: number) {
		super(code, `reading ${index}: ${problem.path || 'it'} ${problem.message}`, { index, path: problem.path });
		this.problem = problem;
	}
}

/** Members that a reading may do without. */
const OPTIONAL = ['unit', 'buildingId', 'roomId', 'observedAt', 'seq', 'boot', 'uptime'] as const;

/** A candidate as a reading, without optional members that say nothing, such as null. @throws ReadingError */
function wellFormed(candidate: Candidate, index: number): IncomingReading {
	if (incomingReading.check(candidate)) return candidate;
	const rest = { ...candidate };
	// A number without bound is a mistake: dropped, a `seq` would take its reading's protection from redelivery away.
	for (const key of OPTIONAL) if (typeof rest[key] !== 'number' && isNoValue(rest[key])) delete rest[key];
	if (incomingReading.check(rest)) return rest;
	throw malformed(rest, index);
}

/** Why a candidate is no reading: `no_value` if nothing else is wrong with it. */
function malformed(candidate: Candidate, index: number): ReadingError {
	const problem = incomingReading.problem(candidate)!;
	const { value } = candidate;
	const isMissing = problem.path === '/value' && (typeof value !== 'number' || Number.isNaN(value)) && isNoValue(value);
	if (!isMissing)
		return new ReadingError('invalid_reading', problem.path === '/value' ? notANumber(value, problem) : problem, index);
	const sent = value === undefined ? 'is missing' : `is ${JSON.stringify(value)}, which says that nothing was measured`;
	return new ReadingError('no_value', { path: '/value', message: sent }, index);
}

/** What is wrong with a value that is no number; of a text that reads like one, how to send it. */
function notANumber(value: unknown, problem: Problem): Problem {
	if (typeof value !== 'string' || !numberIn(value)) return problem;
	const number = Number(value);
	const example = Number.isFinite(number) ? ` as the number ${number}, without quotes` : ' as a number, without quotes';
	return { ...problem, message: `must be a number, but is the text ${JSON.stringify(value)}: send it${example}` };
}
