import type { Reading } from '@crowdvision/contracts';
import { retryOnConflict } from '@crowdvision/service-kit';
import { allDocuments, type Collection, type Store, type Versioned } from '@crowdvision/store';
import type { AnomalyDocument, CounterDocument, LatestOfRoom, RoomDocument } from '../store.ts';

const MOST_ANOMALIES = 10_000;
/** Of a room with more, those that were silent for longest are forgotten. */
const MOST_SENSORS = 1000;

/** What the service knows by itself of the rooms: the latest values and the anomaly log. */
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

	/** Takes readings in; an older one never replaces a newer one, so repetitions change nothing. */
	async learn(readings: readonly Reading[]): Promise<void> {
		const byRoom = Map.groupBy(readings, ({ buildingId, roomId }) => `${buildingId}/${roomId}`);
		await retryOnConflict(async () => {
			const known = new Map((await this.#rooms.getAll([...byRoom.keys()])).map((room) => [room.id, room]));
			const writes = [...byRoom].map(([id, ofRoom]) => {
				const room = known.get(id);
				const document = learned(room, ofRoom);
				return room ? this.#rooms.replace(room, document) : this.#rooms.insert(id, document);
			});
			await this.#store.commit(writes);
		});
	}

	/** Keeps an alert's present state; the oldest beyond ten thousand are forgotten. */
	async record(anomaly: AnomalyDocument): Promise<void> {
		await retryOnConflict(async () => {
			const known = await this.#anomalies.get(anomaly.id);
			if (known) return this.#store.commit([this.#anomalies.replace(known, anomaly)]);
			const counter = await this.#counters.get('anomalies');
			const over = (counter?.value.count ?? 0) + 1 - MOST_ANOMALIES;
			const oldest = over > 0 ? await this.#anomalies.find({ order: { by: 'observedAt' }, limit: over }) : [];
			const count = { count: (counter?.value.count ?? 0) + 1 - oldest.length };
			await this.#store.commit([
				this.#anomalies.insert(anomaly.id, anomaly),
				...oldest.map((one) => this.#anomalies.remove(one)),
				counter ? this.#counters.replace(counter, count) : this.#counters.insert('anomalies', count),
			]);
		});
	}

	/** What the sensors of a building's rooms said last. */
	async latest(buildingId: string): Promise<LatestOfRoom[]> {
		const rooms = await allDocuments(this.#rooms, { where: { buildingId }, by: 'roomId' });
		return rooms.flatMap(({ value: { roomId, sensors } }) => sensors.map((sensor) => ({ ...sensor, roomId })));
	}

	/** Newest first. */
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

/** A room with the newest of each sensor and metric. */
function learned(known: Versioned<RoomDocument> | undefined, readings: readonly Reading[]): RoomDocument {
	const { buildingId, roomId } = readings[0]!;
	const sensors = new Map(known?.value.sensors.map((sensor) => [`${sensor.metric} ${sensor.sensorId}`, sensor]));
	for (const { metric, sensorId, value, observedAt, interval } of readings) {
		const key = `${metric} ${sensorId}`;
		const before = sensors.get(key);
		if (before && before.observedAt > observedAt) continue;
		const unchangedSince = before?.value === value ? (before.unchangedSince ?? before.observedAt) : observedAt;
		sensors.set(key, { metric, sensorId, value, ...interval, observedAt, unchangedSince });
	}
	const newest = [...sensors.values()];
	if (newest.length > MOST_SENSORS) newest.sort((a, b) => b.observedAt - a.observedAt).splice(MOST_SENSORS);
	return { buildingId, roomId, sensors: newest };
}
