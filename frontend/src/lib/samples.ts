import { type BuildingState, METRICS, type MetricDefinition, type Reading, type SensorValue } from '@crowdvision/contracts';
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
	/** When the newest of what it is made of was observed. */
	observedAt: number;
	freshness: Freshness;
	/** The samples it is made of. */
	from: readonly SensorValue[];
}

/**
 * One value of several sensors, by the metric's rule in the catalog. Only live sensors count; where none is, the newest word stands
 * alone, as stale. Undefined where nothing was ever heard.
 */
export function combine(metric: string, samples: MetricSamples | undefined, now: number): CombinedValue | undefined {
	if (!samples) return undefined;
	let newest: SensorValue | undefined;
	for (const sample of samples.sensors) if (!newest || sample.observedAt >= newest.observedAt) newest = sample;
	if (!newest) return undefined;
	const live = samples.sensors.filter((sample) => freshness(sample.observedAt, now) === 'live');
	const rule = live.length > 1 ? combineRule(metric) : 'last';
	return {
		value: combineValues(rule, live, newest),
		unit: samples.unit,
		observedAt: newest.observedAt,
		freshness: freshness(newest.observedAt, now),
		from: rule === 'last' ? [newest] : live,
	};
}

type CombineRule = MetricDefinition['combine'];

function combineRule(metric: string): CombineRule {
	const catalog: Readonly<Record<string, MetricDefinition>> = METRICS;
	return Object.hasOwn(catalog, metric) ? catalog[metric]!.combine : 'last';
}

function combineValues(rule: CombineRule, live: readonly SensorValue[], newest: SensorValue): number {
	const values = live.map(({ value }) => value);
	const sum = values.reduce((total, value) => total + value, 0);
	switch (rule) {
		case 'sum':
			return sum;
		case 'mean':
			return sum / values.length;
		case 'max':
			return Math.max(...values);
		case 'last':
			return newest.value;
	}
}
