import { CrowdVisionError, type RetainedAdoption, type RetainedSensor } from '@crowdvision/contracts';
import { invalid, type RetainedSource, retryOnConflict, SerialQueue } from '@crowdvision/service-kit';
import type { Collection, Kept, Store } from '@crowdvision/store';
import { allDocuments } from '../paging.ts';
import type { BuildingDocument, RegistryDocument, SensorDocument } from '../store.ts';

const MOST_WAITING = 1000;

/**
 * Which sensor stands in which room: what lets a reading leave its place out. A sensor stands in one room of one
 * building.
 */
export class Sensors implements RetainedSource {
	readonly #store: Store;
	readonly #buildings: Collection<BuildingDocument>;
	readonly #registries: Collection<RegistryDocument>;
	readonly #sensors: Collection<SensorDocument>;
	/** Registrations in one building exclude each other: those of this process need not find that out at the store. */
	readonly #queue = new SerialQueue(MOST_WAITING);

	constructor(store: Store) {
		this.#store = store;
		this.#buildings = store.collection('buildings');
		this.#registries = store.collection('registries');
		this.#sensors = store.collection('sensors');
	}

	/** By id. */
	async list(buildingId: string): Promise<{ sensorId: string; roomId: string }[]> {
		const sensors = await allDocuments(this.#sensors, 'sensorId', { buildingId });
		return sensors.map(({ value: { sensorId, roomId } }) => ({ sensorId, roomId }));
	}

	/**
	 * Registers a sensor, or moves it within its building.
	 * @throws CrowdVisionError `not_found` for a building that is no more, `invalid` for a room that is not there,
	 * `conflict` for a sensor that stands in another building. That tells that somebody has the id, and no more: devices
	 * name themselves by it on topics that all share.
	 */
	async register({ sensorId, buildingId, roomId }: RetainedSensor): Promise<void> {
		const registered = await this.#queue.run(() =>
			retryOnConflict(() => this.#register({ sensorId, buildingId, roomId })),
		);
		if (!registered)
			throw new CrowdVisionError('conflict', 'A sensor with this id is registered elsewhere', { path: '/sensorId' });
	}

	/**
	 * Registers a sensor that a gateway's staff gave a place; one that is registered stays where it is. With `replaces`,
	 * the one that stood there is registered no more. Taken in again, it changes nothing. Resolves with the sensors that
	 * may have changed.
	 * @throws CrowdVisionError `not_found`, `invalid` as `register`
	 */
	async adopt({ sensorId, buildingId, roomId, replaces }: RetainedAdoption): Promise<string[]> {
		await this.#queue.run(() =>
			retryOnConflict(async () => {
				const old = replaces === undefined ? undefined : await this.#sensors.get(replaces);
				const leaves = old?.value.buildingId === buildingId && old.value.roomId === roomId;
				await this.#register({ sensorId, buildingId, roomId }, leaves ? old : undefined, true);
			}),
		);
		return replaces === undefined ? [sensorId] : [sensorId, replaces];
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
		return (await allDocuments(this.#sensors, 'sensorId')).map(({ id }) => id);
	}

	async read(sensorId: string): Promise<string | null> {
		const sensor = await this.#sensors.get(sensorId);
		return sensor ? JSON.stringify(sensor.value satisfies RetainedSensor) : null;
	}

	/**
	 * False when it stands in another building. `leaving` is unregistered with it; `keep`: one that is registered stays
	 * as it is.
	 */
	async #register(sensor: SensorDocument, leaving?: Kept<SensorDocument>, keep = false): Promise<boolean> {
		const { sensorId, buildingId, roomId } = sensor;
		const registry = await this.#registries.get(buildingId);
		const building = await this.#buildings.get(buildingId);
		if (!building || !registry) throw new CrowdVisionError('not_found', 'There is no such building');
		if (!building.value.rooms.some((room) => room.id === roomId))
			throw invalid([{ path: '/roomId', message: 'is not a room of this building' }]);
		const known = await this.#sensors.get(sensorId);
		if (known && known.value.buildingId !== buildingId) return false;
		const writes = leaving ? [this.#sensors.remove(leaving)] : [];
		if (!known) writes.push(this.#sensors.insert(sensorId, sensor));
		else if (!keep) writes.push(this.#sensors.replace(known, sensor));
		if (writes.length > 0) await this.#store.commit([this.#registries.replace(registry, {}), ...writes]);
		return true;
	}
}
