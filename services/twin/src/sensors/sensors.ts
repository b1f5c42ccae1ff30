import { CrowdVisionError, type RetainedAdoption, type RetainedSensor, sensorKey } from '@crowdvision/contracts';
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
import { TenantSensors } from '../buildings/tenant-sensors.ts';
import type { BuildingDocument, RegistryDocument, SensorDocument } from '../store.ts';

/** A sensor to register. A cadence that is left out stays as it is; null removes it. */
export type Registration = Omit<SensorDocument, 'cadenceSeconds'> & { cadenceSeconds?: number | null | undefined };

/** A registered sensor, with its key in the store and in the retained table. */
export interface Registered {
	key: string;
	sensor: SensorDocument;
}

/** Registrations waiting in this process. */
const MAX_WAITING = 1000;

/**
 * The registry of sensors: which sensor measures in which room. Readings of a registered sensor may leave building and
 * room out. A sensor is registered in one room of one building. Its id belongs to the tenants of that building; others
 * may have a sensor of the same id. See docs/decisions/0023-sensor-ids-by-tenant.md.
 */
export class Sensors implements RetainedSource {
	readonly #store: Store;
	readonly #buildings: Collection<BuildingDocument>;
	readonly #registries: Collection<RegistryDocument>;
	readonly #sensors: Collection<SensorDocument>;
	readonly #tenants: TenantSensors;
	/** Parallel registrations in one building conflict in the store; running them in turn spares retries. */
	readonly #queue = new SerialQueue(MAX_WAITING);

	constructor(store: Store) {
		this.#store = store;
		this.#buildings = store.collection('buildings');
		this.#registries = store.collection('registries');
		this.#sensors = store.collection('sensors');
		this.#tenants = new TenantSensors(store);
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
	 * `conflict` for a sensor registered in another building of the same tenant
	 */
	async register(sensor: Registration): Promise<Registered> {
		const registered = await this.#queue.run(() => retryOnConflict(() => this.#register(sensor)));
		if (registered) return registered;
		const message = 'A sensor with this id is registered in another building of this domain';
		throw new CrowdVisionError('conflict', message, { path: '/sensorId' });
	}

	/**
	 * Registers a sensor that was adopted at a gateway, unless it is registered already. The sensor that it `replaces` is
	 * unregistered if it is registered in the same room. Repeating an adoption changes nothing. Resolves with the keys of
	 * the sensors that may have changed.
	 * @throws CrowdVisionError `not_found` and `invalid` as `register`
	 */
	async adopt({ sensorId, buildingId, roomId, replaces, generation }: RetainedAdoption): Promise<string[]> {
		return this.#queue.run(() =>
			retryOnConflict(async () => {
				await this.#requireSameRoom({ buildingId, roomId }, generation);
				const old = replaces === undefined ? undefined : await this.#find(buildingId, replaces);
				const leaves = old?.value.roomId === roomId;
				const registered = await this.#register({ sensorId, buildingId, roomId }, leaves ? old : undefined, true);
				return [registered?.key, old?.id].filter((key) => key !== undefined);
			}),
		);
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

	/** Unregisters a sensor. Resolves with the key that it had. @throws CrowdVisionError `not_found` */
	remove(buildingId: string, sensorId: string): Promise<string> {
		return retryOnConflict(async () => {
			const sensor = await this.#find(buildingId, sensorId);
			if (!sensor) throw new CrowdVisionError('not_found', 'There is no such sensor');
			await this.#store.commit([this.#sensors.remove(sensor)]);
			return sensor.id;
		});
	}

	async keys(): Promise<string[]> {
		return (await allDocuments(this.#sensors, { by: 'sensorId' })).map(({ id }) => id);
	}

	async read(key: string): Promise<string | null> {
		const sensor = await this.#sensors.get(key);
		return sensor ? JSON.stringify(sensor.value satisfies RetainedSensor) : null;
	}

	async #find(buildingId: string, sensorId: string): Promise<Versioned<SensorDocument> | undefined> {
		return (await this.#tenants.named(sensorId)).find(({ value }) => value.buildingId === buildingId);
	}

	/**
	 * Resolves with the sensor as it is registered, or undefined when that is in another building of a tenant.
	 * @param leaving a sensor to unregister in the same commit
	 * @param keep leave the sensor in its room if it is registered
	 */
	async #register(
		{ sensorId, buildingId, roomId, cadenceSeconds }: Registration,
		leaving?: Versioned<SensorDocument>,
		keep = false,
	): Promise<Registered | undefined> {
		const registry = await this.#registries.get(buildingId);
		const building = await this.#buildings.get(buildingId);
		if (!building || !registry) throw new CrowdVisionError('not_found', 'There is no such building');
		if (!building.value.rooms.some((room) => room.id === roomId))
			throw invalid([{ path: '/roomId', message: 'is not a room of this building' }]);
		const named = await this.#tenants.named(sensorId);
		const known = named.find(({ value }) => value.buildingId === buildingId);
		if (!known && (await this.#tenants.isTaken(building.value, named))) return undefined;
		const cadence = cadenceSeconds === undefined ? known?.value.cadenceSeconds : cadenceSeconds;
		const sensor: SensorDocument = {
			...{ sensorId, buildingId, roomId },
			...(typeof cadence === 'number' && { cadenceSeconds: cadence }),
		};
		const writes = leaving ? [this.#sensors.remove(leaving)] : [];
		const key = known?.id ?? sensorKey(sensor, named.find(({ id }) => id === sensorId)?.value);
		if (!known) writes.push(this.#sensors.insert(key, sensor), ...(await this.#tenants.claim(building.value.domains)));
		else if (!keep) writes.push(this.#sensors.replace(known, sensor));
		if (writes.length > 0) await this.#store.commit([this.#registries.replace(registry, {}), ...writes]);
		return { key, sensor: keep && known ? known.value : sensor };
	}
}
