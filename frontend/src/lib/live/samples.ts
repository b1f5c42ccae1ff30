import {
	type BuildingState,
	type DeviceEvent,
	type Freshness,
	freshness,
	isCurrent,
	METRICS,
	type MetricKey,
	type Reading,
	roomValue,
	type SensorValue,
} from '@crowdvision/contracts';

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

/**
 * A word of a sensor replaces its former one unless it was observed earlier: late readings belong to the history, not
 * to now.
 */
function withSample(metric: MetricSamples | undefined, unit: string, sample: SensorValue): MetricSamples | undefined {
	const held = metric?.sensors.find((candidate) => candidate.sensorId === sample.sensorId);
	if (held && held.observedAt > sample.observedAt) return undefined;
	const others = metric?.sensors.filter((candidate) => candidate !== held) ?? [];
	return { unit, sensors: [...others, sample] };
}

/**
 * Takes a snapshot into `samples`. What is held and newer stays, so that a snapshot asked for while readings came in
 * takes nothing back. Returns the ids of the rooms that changed.
 */
export function applySnapshot(samples: BuildingSamples, state: BuildingState): Set<string> {
	const changed = new Set<string>();
	for (const [roomId, room] of Object.entries(state.rooms)) {
		let held = samples.get(roomId);
		if (!held) continue;
		for (const [metric, latest] of Object.entries(room.values)) {
			if (!latest) continue;
			const { unit } = latest;
			const sensors = latest.sensors ?? [sensorOf(latest)];
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

/** What the one sensor of a room said. */
function sensorOf({
	sensorId,
	value,
	low,
	high,
	observedAt,
	unchangedSince,
	offlineAt,
	transport,
}: SensorValue): SensorValue {
	return {
		sensorId,
		value,
		...(low !== undefined && high !== undefined && { low, high }),
		observedAt,
		...(unchangedSince !== undefined && { unchangedSince }),
		...(offlineAt !== undefined && { offlineAt }),
		...(transport && { transport }),
	};
}

/** Takes readings into `samples`, in the order given. Returns the ids of the rooms that changed. */
export function applyReadings(samples: BuildingSamples, readings: readonly Reading[]): Set<string> {
	const changed = new Set<string>();
	for (const reading of readings) {
		const { roomId, metric } = reading;
		const room = samples.get(roomId);
		if (!room) continue;
		const next = withReading(room[metric], reading);
		if (!next) continue;
		samples.set(roomId, { ...room, [metric]: next });
		changed.add(roomId);
	}
	return changed;
}

/**
 * The sample that a reading makes: how long its sensor has said the same, and whether its device is gone, follow from
 * what is held.
 */
function withReading(
	metric: MetricSamples | undefined,
	{ sensorId, value, interval, observedAt, transport, unit }: Reading,
): MetricSamples | undefined {
	const held = metric?.sensors.find((candidate) => candidate.sensorId === sensorId);
	if (metric && held && held.observedAt > observedAt) {
		// It came late, and is of the past; but a value that was another in between has not been the same since.
		const broken = held.value !== value && held.unchangedSince !== undefined && observedAt > held.unchangedSince;
		return broken ? withSample(metric, metric.unit, { ...held, unchangedSince: held.observedAt }) : undefined;
	}
	const since = held?.value === value ? held.unchangedSince : observedAt;
	const sample = {
		sensorId,
		value,
		...interval,
		observedAt,
		...(since !== undefined && { unchangedSince: since }),
		transport,
	};
	return withSample(metric, unit, held?.offlineAt === undefined ? sample : { ...sample, offlineAt: held.offlineAt });
}

/**
 * Takes in that a device came or went, unless something later is known of it. Returns the ids of the rooms that
 * changed.
 */
export function applyDevice(samples: BuildingSamples, { sensorId, state, at }: DeviceEvent): Set<string> {
	const changed = new Set<string>();
	for (const [roomId, room] of samples) {
		const next: Record<string, MetricSamples> = { ...room };
		for (const [metric, { unit, sensors }] of Object.entries(room)) {
			const held = sensors.find((candidate) => candidate.sensorId === sensorId);
			if (!held || (held.offlineAt ?? Number.NEGATIVE_INFINITY) > at) continue;
			if (state === 'online' && held.offlineAt === undefined) continue;
			const { offlineAt: _former, ...sample } = held;
			const told = state === 'offline' ? { ...sample, offlineAt: at } : sample;
			next[metric] = { unit, sensors: sensors.map((candidate) => (candidate === held ? told : candidate)) };
			changed.add(roomId);
		}
		if (changed.has(roomId)) samples.set(roomId, next);
	}
	return changed;
}

/** One metric of one room as it is to be shown. */
export interface CombinedValue {
	value: number;
	/** Between which the truth lies, where it is a count made of crossings. */
	low?: number;
	high?: number;
	unit: string;
	observedAt: number;
	freshness: Exclude<Freshness, 'no-data'>;
	/** The sensors that are heard from at present. */
	live: readonly SensorValue[];
}

/**
 * One value of a room's sensors, by the rule that the services go by too. A metric that this page was not built with
 * shows its last word. Undefined where nothing was ever heard.
 */
export function combine(metric: string, samples: MetricSamples | undefined, now: number): CombinedValue | undefined {
	if (!samples) return undefined;
	const { unit, sensors } = samples;
	const live = sensors.filter((sensor) => isCurrent(freshness(metric, sensor, now)));
	if (isKnown(metric)) {
		const said = roomValue(metric, sensors, now);
		if (!said) return undefined;
		const { value, low, high, observedAt, freshness: worth } = said;
		return {
			value,
			...(low !== undefined && high !== undefined && { low, high }),
			unit,
			observedAt,
			freshness: worth,
			live,
		};
	}
	const said = newestOf(sensors);
	return (
		said && { value: said.value, unit, observedAt: said.observedAt, freshness: freshness(metric, said, now), live }
	);
}

const isKnown = (metric: string): metric is MetricKey => Object.hasOwn(METRICS, metric);

function newestOf(sensors: readonly SensorValue[]): SensorValue | undefined {
	return sensors.reduce<SensorValue | undefined>(
		(best, sensor) => (best && best.observedAt > sensor.observedAt ? best : sensor),
		undefined,
	);
}
