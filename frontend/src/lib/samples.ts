import { type BuildingState, isStale, METRICS, type MetricKey, type Reading, roomValue, type SensorValue } from '@crowdvision/contracts';
import { type Freshness, freshness } from './freshness.ts';

/** What each sensor of a room said last of one metric; the one heard last is at the end. */
export interface MetricSamples {
	unit: string;
	sensors: readonly SensorValue[];
}

/** The last words about one room, by metric. Never changed in place: a new object means that something changed. */
export type RoomSamples = Readonly<Record<string, MetricSamples>>;

/** Every room of the building on display. A reading of a room that is not here is not shown. */
export type BuildingSamples = Map<string, RoomSamples>;

/** All rooms of a building before anything is known. */
export function noSamples(roomIds: readonly string[]): BuildingSamples {
	return new Map(roomIds.map((id) => [id, {}]));
}

/** A word of a sensor replaces its former one unless it was observed earlier: late readings belong to the history, not to now. */
function withSample(metric: MetricSamples | undefined, unit: string, sample: SensorValue): MetricSamples | undefined {
	const held = metric?.sensors.find((candidate) => candidate.sensorId === sample.sensorId);
	if (held && held.observedAt > sample.observedAt) return undefined;
	const others = metric?.sensors.filter((candidate) => candidate !== held) ?? [];
	return { unit, sensors: [...others, sample] };
}

/**
 * Takes a snapshot into `samples`. What is held and newer stays, so that a snapshot asked for while readings came in takes nothing back.
 * Returns the ids of the rooms that changed.
 */
export function applySnapshot(samples: BuildingSamples, state: BuildingState): Set<string> {
	const changed = new Set<string>();
	for (const [roomId, room] of Object.entries(state.rooms)) {
		let held = samples.get(roomId);
		if (!held) continue;
		for (const [metric, latest] of Object.entries(room.values)) {
			if (!latest) continue;
			const { sensorId, value, observedAt, transport, unit } = latest;
			const sensors = latest.sensors ?? [{ sensorId, value, observedAt, ...(transport && { transport }) }];
			for (const sample of [...sensors].sort((a, b) => a.observedAt - b.observedAt)) {
				const next = withSample(held[metric], unit, sample);
				if (next) held = { ...held, [metric]: next };
			}
		}
		if (held !== samples.get(roomId)) {
			samples.set(roomId, held);
			changed.add(roomId);
		}
	}
	return changed;
}

/** Takes readings into `samples`, in the order given. Returns the ids of the rooms that changed. */
export function applyReadings(samples: BuildingSamples, readings: readonly Reading[]): Set<string> {
	const changed = new Set<string>();
	for (const { roomId, metric, sensorId, value, observedAt, transport, unit } of readings) {
		const room = samples.get(roomId);
		if (!room) continue;
		const next = withSample(room[metric], unit, { sensorId, value, observedAt, transport });
		if (!next) continue;
		samples.set(roomId, { ...room, [metric]: next });
		changed.add(roomId);
	}
	return changed;
}

/** One metric of one room as it is to be shown. */
export interface CombinedValue {
	value: number;
	unit: string;
	observedAt: number;
	freshness: Freshness;
	/** The sensors that are heard from at present. */
	live: readonly SensorValue[];
}

/**
 * One value of a room's sensors, by the rule that the services go by too. A metric that this page was not built with shows its last word.
 * Undefined where nothing was ever heard.
 */
export function combine(metric: string, samples: MetricSamples | undefined, now: number): CombinedValue | undefined {
	if (!samples) return undefined;
	const { unit, sensors } = samples;
	const said = isKnown(metric) ? roomValue(metric, sensors, now) : newestOf(sensors);
	if (!said) return undefined;
	const { value, observedAt } = said;
	return { value, unit, observedAt, freshness: freshness(observedAt, now), live: sensors.filter((sensor) => !isStale(sensor.observedAt, now)) };
}

const isKnown = (metric: string): metric is MetricKey => Object.hasOwn(METRICS, metric);

function newestOf(sensors: readonly SensorValue[]): SensorValue | undefined {
	return sensors.reduce<SensorValue | undefined>((best, sensor) => (best && best.observedAt > sensor.observedAt ? best : sensor), undefined);
}
