import {
	CrowdVisionError,
	type ErrorCode,
	type IncomingReading,
	incomingReading,
	type MetricDefinition,
	metricDefinition,
	type Problem,
	type TimeQuality,
} from '@crowdvision/contracts';
import type { DedupKey } from '@crowdvision/log';
import type { Clock } from '../clock/clock.ts';
import { completed } from '../decode/decoders.ts';
import { withContext } from '../decode/formats/canonical.ts';
import { type Candidate, type Decoded, DecodeError } from '../decode/message/candidate.ts';
import type { Admission } from '../devices/admission.ts';
import { UnknownSensor } from '../devices/unknown-sensor.ts';
import type { Frame } from '../frame.ts';
import { dedupKey, replayKey } from '../normalize/dedupe.ts';
import { notAllowed, outsideScope, placeOf } from '../normalize/identify.ts';
import { observedTime } from '../normalize/observed-time.ts';
import { toCatalogUnit } from '../normalize/units.ts';
import { type Door, type Doors, totalOf } from '../occupancy/doors.ts';
import type { Registry } from '../registry.ts';

/** A reading that passed every check that needs no state. */
export interface Checked {
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

export interface JudgeParts {
	registry: Registry;
	/** Which sensors are taken; all where it is left out. */
	admission?: Admission | undefined;
	doors: Pick<Doors, 'of'>;
	clock: Pick<Clock, 'quality'>;
}

/**
 * Says whether a decoded reading is one, and may be sent by who sends it: validate, identify, units, time. Changes
 * nothing.
 */
export class Judge {
	readonly #registry: Registry;
	readonly #admission: Admission | undefined;
	readonly #doors: Pick<Doors, 'of'>;
	readonly #clock: Pick<Clock, 'quality'>;

	constructor({ registry, admission, doors, clock }: JudgeParts) {
		this.#registry = registry;
		this.#admission = admission;
		this.#doors = doors;
		this.#clock = clock;
	}

	/** A decoded reading with what its topic, its rule and its sender say of it. @throws DecodeError */
	complete({ context, decodeBy }: Frame, { candidate, index }: Decoded): Candidate {
		const isRegistered = (sensorId: string) => this.#registry.sensor(sensorId) !== undefined;
		return completed(
			withContext(candidate, context, index),
			decodeBy!.rule.defaults,
			context.onlySensorId,
			isRegistered,
		);
	}

	/** @throws CrowdVisionError `invalid_reading`, `unknown_sensor`, `not_admitted`, `forbidden` */
	check(candidate: Candidate, index: number, { sender, replayOf }: Frame, receivedAt: number): Checked {
		if (!incomingReading.check(candidate)) throw refusal('invalid_reading', incomingReading.problem(candidate)!, index);
		const definition = metricDefinition(candidate.metric)!;
		const keptOut = this.#admission?.refusal(candidate.sensorId, sender.id);
		if (keptOut !== undefined)
			throw new CrowdVisionError('not_admitted', `reading ${index}: ${keptOut}`, { index, path: '/sensorId' });
		const door = definition.kind === 'flow' ? this.#doors.of(candidate.sensorId) : undefined;
		const place = placeOf(
			candidate.sensorId,
			candidate.buildingId,
			candidate.roomId ?? door?.between?.to,
			this.#registry,
			sender.buildingId,
		);
		if ('path' in place) {
			const foreign = outsideScope(sender, candidate.sensorId, this.#registry);
			if (foreign) throw refusal('forbidden', foreign, index);
			// One that is registered, elsewhere, does not wait to be adopted.
			if (this.#registry.sensor(candidate.sensorId)) throw refusal('invalid_reading', place, index);
			throw new UnknownSensor(candidate.sensorId, candidate.metric, place, index);
		}
		const denied = notAllowed(sender, candidate.sensorId, place.buildingId, this.#registry);
		if (denied) throw refusal('forbidden', denied, index);
		const value = door?.cumulative
			? totalOf(door, candidate.value)
			: toCatalogUnit(definition, candidate.value, candidate.unit);
		if (typeof value !== 'number') throw refusal('invalid_reading', value, index);
		const time = observedTime(candidate.observedAt, receivedAt, this.#clock.quality);
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
			key:
				dedupKey(candidate, place.buildingId, place.roomId) ??
				(replayOf === undefined ? undefined : replayKey(candidate, replayOf, index)),
			bridge: sender.bridge,
			door,
		};
	}
}

/**
 * Undefined for what is no refusal, but a mistake of ours. A decoder meets what strangers send: whatever it stumbles
 * over counts as the message's fault, or the message would come again without end.
 */
export function asRefusal(error: Error, decoded: boolean): CrowdVisionError | undefined {
	if (error instanceof CrowdVisionError) return error;
	if (!(error instanceof DecodeError))
		return decoded ? new CrowdVisionError('not_decoded', `The decoder stumbled: ${error.message}`) : undefined;
	if (error.code === 'not_decoded') return new CrowdVisionError('not_decoded', `The payload ${error.problem.message}`);
	return refusal('invalid_reading', error.problem, error.index);
}

function refusal(code: ErrorCode, problem: Problem, index: number): CrowdVisionError {
	return new CrowdVisionError(code, `reading ${index}: ${problem.path || 'it'} ${problem.message}`, {
		index,
		path: problem.path,
	});
}
