import {
	type BuildingState,
	type CombinedView,
	type DeviceEvent,
	type Freshness,
	freshness,
	freshUntil,
	isCurrent,
	METRICS,
	type MetricsResponse,
	momentOf,
	type Reading,
	type RoomCombine,
	roomValue,
	type SensorValue,
} from '@crowdvision/contracts';

/** The latest value of each sensor of a room for one metric, in `unit`; the sensor that sent last is at the end. */
export interface MetricSamples {
	unit: string;
	sensors: readonly SensorValue[];
}

/** The latest values of one room, by metric. Never changed in place: a new object means that something changed. */
export type RoomSamples = Readonly<Record<string, MetricSamples>>;

/** The latest values of every room of the building on display, by room id. Readings of other rooms are ignored. */
export type BuildingSamples = Map<string, RoomSamples>;

/** A building of which nothing has been received yet. */
export function emptySamples(roomIds: readonly string[]): BuildingSamples {
	return new Map(roomIds.map((id) => [id, {}]));
}

/**
 * Replaces the sensor's sample by `sample`. Undefined if `sample` was observed before the current one: a late reading
 * belongs to the history, not to the present.
 */
function withSample(metric: MetricSamples | undefined, unit: string, sample: SensorValue): MetricSamples | undefined {
	const current = metric?.sensors.find((candidate) => candidate.sensorId === sample.sensorId);
	if (current && current.observedAt > sample.observedAt) return undefined;
	const others = metric?.sensors.filter((candidate) => candidate !== current) ?? [];
	return { unit, sensors: [...others, sample] };
}

/**
 * Merges a snapshot into `samples`. Samples newer than the snapshot's stay, so a snapshot that was requested while
 * readings arrived takes nothing back. Returns the ids of the rooms that changed.
 */
export function applySnapshot(samples: BuildingSamples, state: BuildingState): Set<string> {
	const changed = new Set<string>();
	for (const [roomId, room] of Object.entries(state.rooms)) {
		let merged = samples.get(roomId);
		if (!merged) continue;
		for (const [metric, latest] of Object.entries(room.values)) {
			if (!latest) continue;
			const { unit } = latest;
			const sensors = latest.sensors ?? [sensorOf(latest)];
			for (const sample of [...sensors].sort((a, b) => a.observedAt - b.observedAt)) {
				const next = withSample(merged[metric], unit, sample);
				if (next) merged = { ...merged, [metric]: next };
			}
		}
		if (merged !== samples.get(roomId)) {
			samples.set(roomId, merged);
			changed.add(roomId);
		}
	}
	return changed;
}

/** The sample behind the value of a room with a single sensor, without the fields that only a room's value has. */
function sensorOf(latest: SensorValue): SensorValue {
	const { sensorId, sensorName, value, clipped, low, high, observedAt } = latest;
	const { freshFor, unchangedSince, offlineAt, transport } = latest;
	return {
		sensorId,
		...(sensorName !== undefined && { sensorName }),
		value,
		...(clipped && { clipped }),
		...(low !== undefined && high !== undefined && { low, high }),
		observedAt,
		...(freshFor !== undefined && { freshFor }),
		...(unchangedSince !== undefined && { unchangedSince }),
		...(offlineAt !== undefined && { offlineAt }),
		...(transport && { transport }),
	};
}

/** Applies readings to `samples` in the given order. Returns the ids of the rooms that changed. */
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
 * The metric's samples after `reading`; undefined if nothing changes. `unchangedSince` and `offlineAt` of the new
 * sample follow from the current one.
 */
function withReading(metric: MetricSamples | undefined, reading: Reading): MetricSamples | undefined {
	const { sensorId, sensorName, value, clipped, interval, freshFor, transport, unit } = reading;
	const observedAt = momentOf(reading);
	const current = metric?.sensors.find((candidate) => candidate.sensorId === sensorId);
	if (metric && current && current.observedAt > observedAt) {
		// A late reading does not become the latest. With another value it proves that the value did change in between.
		const interrupts =
			current.value !== value && current.unchangedSince !== undefined && observedAt > current.unchangedSince;
		return interrupts ? withSample(metric, metric.unit, { ...current, unchangedSince: current.observedAt }) : undefined;
	}
	const unchangedSince = current?.value === value ? current.unchangedSince : observedAt;
	return withSample(metric, unit, {
		sensorId,
		...(sensorName !== undefined && { sensorName }),
		value,
		...(clipped && { clipped: true as const }),
		...interval,
		observedAt,
		...(freshFor !== undefined && { freshFor }),
		...(unchangedSince !== undefined && { unchangedSince }),
		transport,
		...(current?.offlineAt !== undefined && { offlineAt: current.offlineAt }),
	});
}

/**
 * Records that a device went offline or came back, for every value of its sensor, unless a later such event is known.
 * Returns the ids of the rooms that changed.
 */
export function applyDevice(samples: BuildingSamples, { sensorId, state, at }: DeviceEvent): Set<string> {
	const changed = new Set<string>();
	for (const [roomId, room] of samples) {
		const next: Record<string, MetricSamples> = { ...room };
		for (const [metric, { unit, sensors }] of Object.entries(room)) {
			const current = sensors.find((candidate) => candidate.sensorId === sensorId);
			if (!current || (current.offlineAt ?? Number.NEGATIVE_INFINITY) > at) continue;
			if (state === 'online' && current.offlineAt === undefined) continue;
			const { offlineAt: _previous, ...online } = current;
			const updated = state === 'offline' ? { ...online, offlineAt: at } : online;
			next[metric] = { unit, sensors: sensors.map((candidate) => (candidate === current ? updated : candidate)) };
			changed.add(roomId);
		}
		if (changed.has(roomId)) samples.set(roomId, next);
	}
	return changed;
}

/** The value of one metric in one room, combined from all its sensors. */
export interface CombinedValue {
	value: number;
	/** Some value that it is made of is the upper limit, of which its sensor sent a little more. */
	clipped?: true;
	/** Bounds of the true value; only for a count derived from door crossings. */
	low?: number;
	high?: number;
	unit: string;
	observedAt: number;
	/** Until when it is current if no other value arrives, epoch ms. */
	freshUntil: number;
	freshness: Exclude<Freshness, 'no-data'>;
	/** Where the room says how its counters are combined; with `silent` the value is an incomplete sum. */
	combined?: CombinedView;
	/** The sensors whose values are current. */
	live: readonly SensorValue[];
}

/**
 * Combines the sensors of a room by the rule the services use (`roomValue`). A metric that is not in the catalog has no
 * rule: its most recent value is shown. Undefined if no value was ever received.
 * @param room how the room itself combines its sensors
 */
export function combine(
	metric: string,
	samples: MetricSamples | undefined,
	now: number,
	catalog: MetricsResponse['metrics'] = METRICS,
	room?: RoomCombine,
): CombinedValue | undefined {
	if (!samples) return undefined;
	const { unit, sensors } = samples;
	const live = sensors.filter((sensor) => isCurrent(freshness(metric, sensor, now)));
	const definition = Object.hasOwn(catalog, metric) ? catalog[metric] : undefined;
	if (!definition) {
		const newest = newestOf(sensors);
		if (!newest) return undefined;
		const { value, observedAt, clipped } = newest;
		return {
			value,
			...(clipped && { clipped }),
			unit,
			observedAt,
			freshUntil: freshUntil(metric, newest),
			freshness: freshness(metric, newest, now),
			live,
		};
	}
	const combined = roomValue(metric, sensors, now, { describe: () => definition }, room);
	if (!combined) return undefined;
	const { value, clipped, low, high, observedAt, freshUntil: until } = combined;
	return {
		value,
		...(clipped && { clipped }),
		...(low !== undefined && high !== undefined && { low, high }),
		unit,
		observedAt,
		freshUntil: until,
		freshness: combined.freshness,
		...(combined.combined && { combined: combined.combined }),
		live,
	};
}

/** The sensor that sent last. */
export function newestOf(sensors: readonly SensorValue[]): SensorValue | undefined {
	return sensors.reduce<SensorValue | undefined>(
		(best, sensor) => (best && best.observedAt > sensor.observedAt ? best : sensor),
		undefined,
	);
}
