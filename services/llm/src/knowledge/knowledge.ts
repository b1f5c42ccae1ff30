import { momentOf, type Reading } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import { allDocuments, type Collection, type Store, type Versioned } from '@crowdvision/store';
import type { AnomalyDocument, CounterDocument, LatestOfRoom, RoomDocument } from '../store.ts';

const MAX_ANOMALIES = 10_000;
/** Sensors and metrics of a room; beyond that the ones observed longest ago are removed. */
const MAX_SENSORS = 1000;

/** The latest values of all rooms, and the log of alerts (anomalies): what answers rest on. */
export class Knowledge {
	readonly #store: Store;
	readonly #rooms: Collection<RoomDocument>;
	readonly #anomalies: Collection<AnomalyDocument>;
	readonly #counters: Collection<CounterDocument>;

	constructor(store: Store) {
		this.#store = store;
		this.#rooms = store.collection('rooms');
		this.#anomalies = store.collection('anomalies');
		this.#counters = store.collection('counters');
	}

	/** Stores the latest values. An older reading never replaces a newer one, so redelivered readings change nothing. */
	async learn(readings: readonly Reading[]): Promise<void> {
		const byRoom = Map.groupBy(readings, ({ buildingId, roomId }) => `${buildingId}/${roomId}`);
		await retryOnConflict(async () => {
			const known = new Map((await this.#rooms.getAll([...byRoom.keys()])).map((room) => [room.id, room]));
			const writes = [...byRoom].map(([id, ofRoom]) => {
				const room = known.get(id);
				const document = withReadings(room, ofRoom, Date.now());
				return room ? this.#rooms.replace(room, document) : this.#rooms.insert(id, document);
			});
			await this.#store.commit(writes);
		});
	}

	/** Stores the state of an alert. Beyond 10,000 alerts the oldest are removed. */
	async record(anomaly: AnomalyDocument): Promise<void> {
		await retryOnConflict(async () => {
			const known = await this.#anomalies.get(anomaly.id);
			if (known) return this.#store.commit([this.#anomalies.replace(known, anomaly)]);
			const counter = await this.#counters.get('anomalies');
			const over = (counter?.value.count ?? 0) + 1 - MAX_ANOMALIES;
			const oldest = over > 0 ? await this.#anomalies.find({ order: { by: 'observedAt' }, limit: over }) : [];
			const count = { count: (counter?.value.count ?? 0) + 1 - oldest.length };
			await this.#store.commit([
				this.#anomalies.insert(anomaly.id, anomaly),
				...oldest.map((stored) => this.#anomalies.remove(stored)),
				counter ? this.#counters.replace(counter, count) : this.#counters.insert('anomalies', count),
			]);
		});
	}

	/** The latest values of all sensors in a building. */
	async latest(buildingId: string): Promise<LatestOfRoom[]> {
		const rooms = await allDocuments(this.#rooms, { where: { buildingId }, by: 'roomId' });
		return rooms.flatMap(({ value: { roomId, sensors } }) => sensors.map((sensor) => ({ ...sensor, roomId })));
	}

	/** The latest alerts of these buildings, newest first. */
	async anomalies(buildingIds: readonly string[], limit: number): Promise<AnomalyDocument[]> {
		if (buildingIds.length === 0) return [];
		const found = await this.#anomalies.find({
			where: { buildingId: { in: buildingIds } },
			order: { by: 'observedAt', descending: true },
			limit,
		});
		return found.map(({ value }) => value);
	}
}

/**
 * The room's document with the latest value of each sensor and metric at `now` (epoch ms). What an earlier version kept
 * with a time that is still ahead outranks nothing.
 */
function withReadings(
	known: Versioned<RoomDocument> | undefined,
	readings: readonly Reading[],
	now: number,
): RoomDocument {
	const { buildingId, roomId } = readings[0]!;
	const sensors = new Map(known?.value.sensors.map((sensor) => [`${sensor.metric} ${sensor.sensorId}`, sensor]));
	for (const reading of readings) {
		const { metric, sensorId, value, interval, freshFor } = reading;
		const key = `${metric} ${sensorId}`;
		const observedAt = momentOf(reading);
		const before = sensors.get(key);
		if (before && before.observedAt > observedAt && before.observedAt <= now) continue;
		const since = before?.value === value ? (before.unchangedSince ?? before.observedAt) : observedAt;
		sensors.set(key, {
			...{ metric, sensorId, value, ...interval, observedAt, unchangedSince: Math.min(since, observedAt) },
			...(freshFor !== undefined && { freshFor }),
		});
	}
	const newest = [...sensors.values()];
	if (newest.length > MAX_SENSORS) newest.sort((a, b) => b.observedAt - a.observedAt).splice(MAX_SENSORS);
	return { buildingId, roomId, sensors: newest };
}
