import { generationInKey, generationKey, momentOf, type Reading, type RetainedBuilding } from '@crowdvision/contracts';
import { type BuildingDirectory, retryOnConflict } from '@crowdvision/service-kit';
import { allDocuments, type Collection, documentPage, type Store, type Versioned } from '@crowdvision/store';
import type { AnomalyDocument, CounterDocument, LatestOfRoom, RoomDocument } from '../store.ts';

const MAX_ANOMALIES = 10_000;
const REMOVE_BATCH = 100;
/** Sensors and metrics of a room; beyond that the ones observed longest ago are removed. */
const MAX_SENSORS = 1000;

/** The latest values of all rooms, and the log of alerts (anomalies): what answers rest on. */
export class Knowledge {
	readonly #store: Store;
	readonly #rooms: Collection<RoomDocument>;
	readonly #anomalies: Collection<AnomalyDocument>;
	readonly #counters: Collection<CounterDocument>;
	readonly #directory: BuildingDirectory;

	constructor(store: Store, directory: BuildingDirectory) {
		this.#directory = directory;
		this.#store = store;
		this.#rooms = store.collection('rooms');
		this.#anomalies = store.collection('anomalies');
		this.#counters = store.collection('counters');
	}

	/**
	 * Stores the latest values, but for readings of rooms that are no more. An older reading never replaces a newer one,
	 * so redelivered readings change nothing.
	 */
	async learn(received: readonly Reading[]): Promise<void> {
		const readings = received.flatMap((reading) => {
			const generation = this.#directory.generationFor(reading);
			return generation === false ? [] : [{ ...reading, roomId: generationKey(reading.roomId, generation) }];
		});
		if (readings.length === 0) return;
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

	/** The latest values of all sensors in the rooms that a building has now. */
	async latest({ id: buildingId, rooms }: RetainedBuilding): Promise<LatestOfRoom[]> {
		const current = new Map(rooms.map(({ id, generation }) => [generationKey(id, generation), id]));
		const stored = await allDocuments(this.#rooms, { where: { buildingId }, by: 'roomId' });
		return stored.flatMap(({ value: { roomId: key, sensors } }) => {
			const roomId = current.get(key);
			return roomId === undefined ? [] : sensors.map((sensor) => ({ ...sensor, roomId }));
		});
	}

	/** The latest alerts of these buildings, newest first. */
	async anomalies(buildingIds: readonly string[], limit: number): Promise<AnomalyDocument[]> {
		if (buildingIds.length === 0) return [];
		const { documents } = await documentPage(this.#anomalies, {
			sections: [{ buildingId: { in: buildingIds } }],
			by: 'observedAt',
			limit,
			keep: ({ value }) => this.#directory.isCurrent(value),
		});
		return documents.map(({ value }) => value);
	}

	/** Removes what is kept of buildings that had this id and were removed. */
	async forget(buildingId: string): Promise<void> {
		const ended = this.#directory.ended(buildingId);
		if (!ended) return;
		const rooms = await allDocuments(this.#rooms, { where: { buildingId }, by: 'roomId' });
		await this.#remove(
			rooms.filter(({ value }) => ended.isOver(generationInKey(value.roomId))),
			this.#rooms,
		);
		const alerts = await this.#anomalies.find({ where: { buildingId }, limit: MAX_ANOMALIES });
		const over = alerts.filter(({ value }) => ended.isOver(value.generation));
		for (let first = 0; first < over.length; first += REMOVE_BATCH) {
			const batch = over.slice(first, first + REMOVE_BATCH);
			await retryOnConflict(async () => {
				const still = await this.#anomalies.getAll(batch.map(({ id }) => id));
				const counter = await this.#counters.get('anomalies');
				if (still.length === 0 || !counter) return;
				await this.#store.commit([
					...still.map((stored) => this.#anomalies.remove(stored)),
					this.#counters.replace(counter, { count: Math.max(0, counter.value.count - still.length) }),
				]);
			});
		}
	}

	async #remove<T>(documents: readonly Versioned<T>[], collection: Collection<T>): Promise<void> {
		for (let first = 0; first < documents.length; first += REMOVE_BATCH)
			await this.#store.commit(documents.slice(first, first + REMOVE_BATCH).map(({ id }) => collection.remove(id)));
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
