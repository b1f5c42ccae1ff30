import {
	type Building,
	CrowdVisionError,
	type MetricLookup,
	type RetainedRemoval,
	type Role,
} from '@crowdvision/contracts';
import { type Page, pageOfItems, type RetainedSource, requireRole, retryOnConflict } from '@crowdvision/service-kit';
import { allDocuments, type Collection, type Store, type Versioned, type Write } from '@crowdvision/store';
import type {
	BuildingDocument,
	OwnerDocument,
	RecombinedDocument,
	RegistryDocument,
	RemovedDocument,
	SensorDocument,
} from '../store.ts';
import { type Memberships, onlyAdministered, requireAdministered } from './access.ts';
import { begun, newDocument, recombined, retainedOf, storedRoomId, validBuilding } from './building-document.ts';
import { refusingDuplicates, TenantSensors } from './tenant-sensors.ts';

/** Buildings that one account can list. */
const MAX_LISTED = 10_000;

/** A change to a building by the owner of `memberships`, which must give at least `role` in it. */
export interface Change {
	memberships: Memberships;
	role: Role;
	/** Returns the changed building. Called again, with the building as it is then, when a parallel change came first. */
	apply(building: BuildingDocument): BuildingDocument;
}

/**
 * The buildings. Each is owned by domains; to accounts outside of them it looks exactly like one that does not exist.
 */
export class Buildings implements RetainedSource {
	readonly #store: Store;
	readonly #buildings: Collection<BuildingDocument>;
	readonly #owners: Collection<OwnerDocument>;
	readonly #registries: Collection<RegistryDocument>;
	readonly #sensors: Collection<SensorDocument>;
	readonly #removed: Collection<RemovedDocument>;
	readonly #recombined: Collection<RecombinedDocument>;
	readonly #catalog: MetricLookup;
	readonly #tenants: TenantSensors;

	constructor(store: Store, catalog: MetricLookup) {
		this.#store = store;
		this.#catalog = catalog;
		this.#buildings = store.collection('buildings');
		this.#owners = store.collection('owners');
		this.#registries = store.collection('registries');
		this.#sensors = store.collection('sensors');
		this.#removed = store.collection('removed');
		this.#recombined = store.collection('recombined');
		this.#tenants = new TenantSensors(store);
	}

	/**
	 * Stores a building JSON, whole or not at all.
	 * @throws CrowdVisionError `invalid` with the path of each mistake; `forbidden` for a domain that the caller does not
	 * administer; `conflict` for an id in use, also by a building the caller may not see: topics and streams name
	 * buildings by id, so ids are shared by all domains
	 */
	async create(value: unknown, memberships: Memberships): Promise<BuildingDocument> {
		const given = validBuilding(value, this.#catalog);
		const building = newDocument(given, given.domains?.length ? given.domains : [onlyAdministered(memberships)]);
		requireAdministered(memberships, building.domains);
		if (await this.#insert(building)) return building;
		throw new CrowdVisionError('conflict', 'A building with this id already exists', { path: '/id' });
	}

	/** Creates the building unless one with its id exists; that one stays unchanged. */
	async ensure(building: Building & { domains: string[] }): Promise<void> {
		await this.#insert(newDocument(validBuilding(building, this.#catalog), building.domains));
	}

	/**
	 * @throws CrowdVisionError `not_found` for a building that does not exist or is not the caller's, `forbidden` when
	 * the caller's role is too low
	 */
	async get(id: string, memberships: Memberships, role: Role = 'standard_customer'): Promise<BuildingDocument> {
		return (await this.#find(id, memberships, role)).value;
	}

	/** Those of these buildings that exist, by id. */
	async all(ids: readonly string[]): Promise<Map<string, BuildingDocument>> {
		if (ids.length === 0) return new Map();
		return new Map((await this.#buildings.getAll(ids)).map(({ id, value }) => [id, value]));
	}

	/** A page of the buildings that the caller may see, sorted by id. */
	async visibleTo(
		memberships: Memberships,
		page: Page<readonly [id: string]>,
	): Promise<{ buildings: BuildingDocument[]; next: readonly [id: string] | undefined }> {
		const names = [...new Set(memberships.map(({ domainName }) => domainName))];
		const conditions = [{ in: names }, ...names.map((name) => ({ gt: `${name}/`, lt: `${name}0` }))];
		const found = await Promise.all(
			conditions.map((domain) => this.#owners.find({ where: { domain }, order: { by: 'domain' }, limit: MAX_LISTED })),
		);
		const ids = [...new Set(found.flat().map(({ value }) => value.buildingId))].sort();
		const { items, next } = pageOfItems(
			ids,
			page,
			(id) => [id] as const,
			(id, [after]) => id > after,
		);
		const documents = new Map((await this.#buildings.getAll(items)).map(({ id, value }) => [id, value]));
		return { buildings: items.flatMap((id) => documents.get(id) ?? []), next };
	}

	/**
	 * Changes a building, and unregisters the sensors of rooms that it no longer has. Resolves with the building and with
	 * the keys of those sensors.
	 * @throws CrowdVisionError as `get`; `forbidden` for adding or removing a domain that the caller does not administer;
	 * `conflict` where such a domain has a sensor of the same id; and what `apply` throws
	 */
	async change(
		id: string,
		{ memberships, role, apply }: Change,
	): Promise<{ building: BuildingDocument; unregistered: string[] }> {
		const change = retryOnConflict(async () => {
			const registry = await this.#registries.get(id);
			const stored = await this.#find(id, memberships, role);
			const before = stored.value;
			const building = apply(before);
			requireAdministered(memberships, difference(before.domains, building.domains));
			const rooms = new Set(building.rooms.map((room) => room.id));
			const losesRooms = before.rooms.some((room) => !rooms.has(room.id));
			const changesOwners = difference(before.domains, building.domains).length > 0;
			const sensors = losesRooms || changesOwners ? await this.#sensorsOf(id) : [];
			const unregistered = sensors.filter(({ value }) => !rooms.has(value.roomId));
			const stay = sensors.filter(({ value }) => rooms.has(value.roomId));
			const others = recombined(before, building).map((of) => ({ buildingId: id, ...of }));
			await this.#store.commit([
				this.#buildings.replace(stored, building),
				...others.map((of) => this.#recombined.put(JSON.stringify(Object.values(of)), of)),
				...(losesRooms || changesOwners ? [this.#touch(id, registry)] : []),
				...(await this.#tenants.pass(before, building, stay)),
				...this.#owned(id, before.domains, building.domains),
				...unregistered.map((sensor) => this.#sensors.remove(sensor)),
			]);
			const gone = before.rooms.filter((room) => !rooms.has(room.id)).map((room) => storedRoomId(before, room.id));
			return { building, unregistered: unregistered.map((sensor) => sensor.id), gone };
		});
		const { gone, ...changed } = await refusingDuplicates(change);
		// A room of one of these ids that is added later is stored otherwise: this only frees what nobody sees any more.
		for (const room of gone) await this.#store.readings.removeBuilding(id, room);
		return changed;
	}

	/**
	 * Removes a building with its sensors, thresholds, columns and history. Resolves with the keys of its sensors.
	 * @param check may throw to refuse the removal
	 */
	async remove(
		id: string,
		memberships: Memberships,
		check: (building: BuildingDocument) => void = () => {},
	): Promise<string[]> {
		const sensors = await retryOnConflict(async () => {
			const registry = await this.#registries.get(id);
			const stored = await this.#find(id, memberships, 'business_admin');
			check(stored.value);
			const registered = await this.#sensorsOf(id);
			await this.#store.commit([
				this.#buildings.remove(stored),
				...(registry ? [this.#registries.remove(registry)] : []),
				...this.#owned(id, stored.value.domains, []),
				...registered.map((sensor) => this.#sensors.remove(sensor)),
				this.#removed.put(id, removalOf(stored.value, Date.now())),
			]);
			return registered.map((sensor) => sensor.id);
		});
		await this.#removeReadings(id);
		return sensors;
	}

	/** Lets the history of what is combined otherwise than before be computed again; at most 1000 metrics of rooms. */
	async finishRecombined(): Promise<void> {
		for (const stored of await this.#recombined.find({ limit: 1000 })) {
			await this.#store.readings.makeStale(stored.value);
			await this.#store.commit([this.#recombined.remove(stored)]);
		}
	}

	/** Completes removals that were interrupted before all readings were removed; at most 1000. */
	async finishRemovals(): Promise<void> {
		for (const { id } of await this.#removed.find({ where: { unfinished: true }, limit: 1000 }))
			await this.#removeReadings(id);
	}

	async keys(): Promise<string[]> {
		return (await allDocuments(this.#buildings, { by: 'id' })).map(({ id }) => id);
	}

	async read(id: string): Promise<string | null> {
		const stored = await this.#buildings.get(id);
		return stored ? JSON.stringify(retainedOf(stored.value)) : null;
	}

	/** That buildings were removed, as the other services are told: see RetainedRemoval. */
	get removals(): RetainedSource {
		return {
			keys: async () => {
				const found = [true, false].map((unfinished) =>
					this.#removed.find({ where: { unfinished }, limit: MAX_LISTED }),
				);
				return (await Promise.all(found)).flat().map(({ id }) => id);
			},
			read: async (id) => {
				const removed = await this.#removed.get(id);
				if (!removed) return null;
				const { at, generation } = removed.value;
				return JSON.stringify({ at, ...(generation !== undefined && { generation }) } satisfies RetainedRemoval);
			},
		};
	}

	/**
	 * Resolves with false when the id is in use. Readings of an earlier building with this id are removed first; those
	 * that are still on their way belong to another generation.
	 */
	#insert(building: BuildingDocument): Promise<boolean> {
		return retryOnConflict(async () => {
			if (await this.#buildings.get(building.id)) return false;
			const removed = await this.#removed.get(building.id);
			if (removed) await this.#store.readings.removeBuilding(building.id);
			await this.#store.commit([
				this.#buildings.insert(building.id, begun(building, removed?.value, Date.now())),
				this.#registries.put(building.id, {}),
				...this.#owned(building.id, [], building.domains),
				...(removed ? [this.#removed.remove(removed)] : []),
			]);
			return true;
		});
	}

	async #removeReadings(id: string): Promise<void> {
		// Creating a new building with this id in the meantime has removed the readings.
		if (!(await this.#removed.get(id))) return;
		await this.#store.readings.removeBuilding(id);
		await retryOnConflict(async () => {
			const removed = await this.#removed.get(id);
			if (removed?.value.unfinished)
				await this.#store.commit([this.#removed.replace(removed, { ...removed.value, unfinished: false })]);
		});
	}

	async #find(id: string, memberships: Memberships, role: Role): Promise<Versioned<BuildingDocument>> {
		const stored = await this.#buildings.get(id);
		requireRole({ memberships }, stored?.value.domains ?? [], role, 'such building');
		if (!stored) throw new Error('a building without domains passed the guard');
		return stored;
	}

	#sensorsOf(buildingId: string): Promise<Versioned<SensorDocument>[]> {
		return allDocuments(this.#sensors, { where: { buildingId }, by: 'sensorId' });
	}

	/** Makes parallel changes of the building's rooms and sensors conflict: see RegistryDocument. */
	#touch(id: string, registry: Versioned<RegistryDocument> | undefined): Write {
		return registry ? this.#registries.replace(registry, {}) : this.#registries.insert(id, {});
	}

	/** The writes that turn the owners `before` into `after`. */
	#owned(buildingId: string, before: readonly string[], after: readonly string[]): Write[] {
		const key = (domain: string) => JSON.stringify([domain, buildingId]);
		return [
			...before.filter((domain) => !after.includes(domain)).map((domain) => this.#owners.remove(key(domain))),
			...after
				.filter((domain) => !before.includes(domain))
				.map((domain) => this.#owners.put(key(domain), { domain, buildingId })),
		];
	}
}

/** The latest generation of the building and its rooms, so that what follows under its id gets a later one. */
function removalOf({ generation, roomGenerations = {} }: BuildingDocument, at: number): RemovedDocument {
	const latest = [...Object.values(roomGenerations), generation ?? ''].sort().at(-1);
	return { unfinished: true, at, ...(latest && { generation: latest }) };
}

/** The elements of exactly one of the two lists. */
function difference(a: readonly string[], b: readonly string[]): string[] {
	return [...a.filter((text) => !b.includes(text)), ...b.filter((text) => !a.includes(text))];
}
