import { CrowdVisionError, type RetainedAdoption, type RetainedSensor } from '@crowdvision/contracts';
import { invalid, type RetainedSource, retryOnConflict, SerialQueue } from '@crowdvision/service-kit';
import {
	allDocuments,
	type Collection,
	type DocumentCursor,
	documentPage,
	type Store,
	type Versioned,
} from '@crowdvision/store';
import { roomGeneration } from '../buildings/building-document.ts';
import type { BuildingDocument, RegistryDocument, SensorDocument } from '../store.ts';

/** A sensor to register. A cadence that is left out stays as it is; null removes it. */
export type Registration = Omit<SensorDocument, 'cadenceSeconds'> & { cadenceSeconds?: number | null | undefined };

/** Registrations waiting in this process. */
const MAX_WAITING = 1000;

/**
 * The registry of sensors: which sensor measures in which room. Readings of a registered sensor may leave building and
 * room out. A sensor is registered in one room of one building.
 */
export class Sensors implements RetainedSource {
	readonly #store: Store;
	readonly #buildings: Collection<BuildingDocument>;
	readonly #registries: Collection<RegistryDocument>;
	readonly #sensors: Collection<SensorDocument>;
	/** Parallel registrations in one building conflict in the store; running them in turn spares retries. */
	readonly #queue = new SerialQueue(MAX_WAITING);

	constructor(store: Store) {
		this.#store = store;
		this.#buildings = store.collection('buildings');
		this.#registries = store.collection('registries');
		this.#sensors = store.collection('sensors');
	}

	/** A page of the sensors of a building, sorted by id. */
	async list(
		buildingId: string,
		page: { limit: number; after: DocumentCursor | undefined },
	): Promise<{ sensors: Omit<SensorDocument, 'buildingId'>[]; next: DocumentCursor | undefined }> {
		const { documents, next } = await documentPage(this.#sensors, {
			sections: [{ buildingId }],
			by: 'sensorId',
			descending: false,
			...page,
		});
		return { sensors: documents.map(({ value: { buildingId: _same, ...sensor } }) => sensor), next };
	}

	/**
	 * Registers a sensor, or moves it within its building. Resolves with it as it is registered now.
	 * @throws CrowdVisionError `not_found` when the building does not exist; `invalid` for a room it does not have;
	 * `conflict` for a sensor registered in another building, also one the caller may not see: all devices name
	 * themselves by sensor id on shared topics
	 */
	async register(sensor: Registration): Promise<SensorDocument> {
		const registered = await this.#queue.run(() => retryOnConflict(() => this.#register(sensor)));
		if (!registered)
			throw new CrowdVisionError('conflict', 'A sensor with this id is registered elsewhere', { path: '/sensorId' });
		return registered;
	}

	/**
	 * Registers a sensor that was adopted at a gateway, unless it is registered already. The sensor that it `replaces` is
	 * unregistered if it is registered in the same room. Repeating an adoption changes nothing. Resolves with the ids of
	 * the sensors that may have changed.
	 * @throws CrowdVisionError `not_found` and `invalid` as `register`
	 */
	async adopt({ sensorId, buildingId, roomId, replaces, generation }: RetainedAdoption): Promise<string[]> {
		await this.#queue.run(() =>
			retryOnConflict(async () => {
				await this.#requireSameRoom({ buildingId, roomId }, generation);
				const old = replaces === undefined ? undefined : await this.#sensors.get(replaces);
				const leaves = old?.value.buildingId === buildingId && old.value.roomId === roomId;
				await this.#register({ sensorId, buildingId, roomId }, leaves ? old : undefined, true);
			}),
		);
		return replaces === undefined ? [sensorId] : [sensorId, replaces];
	}

	/**
	 * @param generation of the room as the gateway knew it
	 * @throws CrowdVisionError `not_found` where another room has its id now
	 */
	async #requireSameRoom(place: { buildingId: string; roomId: string }, generation: string | undefined): Promise<void> {
		const building = (await this.#buildings.get(place.buildingId))?.value;
		if (!building || roomGeneration(building, place.roomId).generation === generation) return;
		// A gateway of an earlier version does not know generations.
		if (generation === undefined && !building.reused) return;
		throw new CrowdVisionError('not_found', 'The room is not the one that the sensor was adopted in');
	}

	/** @throws CrowdVisionError `not_found` */
	async remove(buildingId: string, sensorId: string): Promise<void> {
		await retryOnConflict(async () => {
			const sensor = await this.#sensors.get(sensorId);
			if (sensor?.value.buildingId !== buildingId) throw new CrowdVisionError('not_found', 'There is no such sensor');
			await this.#store.commit([this.#sensors.remove(sensor)]);
		});
	}

	async keys(): Promise<string[]> {
		return (await allDocuments(this.#sensors, { by: 'sensorId' })).map(({ id }) => id);
	}

	async read(sensorId: string): Promise<string | null> {
		const sensor = await this.#sensors.get(sensorId);
		return sensor ? JSON.stringify(sensor.value satisfies RetainedSensor) : null;
	}

	/**
	 * Resolves with the sensor as it is registered, or undefined when that is in another building.
	 * @param leaving a sensor to unregister in the same commit
	 * @param keep leave the sensor in its room if it is registered
	 */
	async #register(
		{ sensorId, buildingId, roomId, cadenceSeconds }: Registration,
		leaving?: Versioned<SensorDocument>,
		keep = false,
	): Promise<SensorDocument | undefined> {
		const registry = await this.#registries.get(buildingId);
		const building = await this.#buildings.get(buildingId);
		if (!building || !registry) throw new CrowdVisionError('not_found', 'There is no such building');
		if (!building.value.rooms.some((room) => room.id === roomId))
			throw invalid([{ path: '/roomId', message: 'is not a room of this building' }]);
		const known = await this.#sensors.get(sensorId);
		if (known && known.value.buildingId !== buildingId) return undefined;
		const cadence = cadenceSeconds === undefined ? known?.value.cadenceSeconds : cadenceSeconds;
		const sensor: SensorDocument = {
			...{ sensorId, buildingId, roomId },
			...(typeof cadence === 'number' && { cadenceSeconds: cadence }),
		};
		const writes = leaving ? [this.#sensors.remove(leaving)] : [];
		if (!known) writes.push(this.#sensors.insert(sensorId, sensor));
		else if (!keep) writes.push(this.#sensors.replace(known, sensor));
		if (writes.length > 0) await this.#store.commit([this.#registries.replace(registry, {}), ...writes]);
		return keep && known ? known.value : sensor;
	}
}
