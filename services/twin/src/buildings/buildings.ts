import { type Building, CrowdVisionError, type Role } from '@crowdvision/contracts';
import { type RetainedSource, requireRole, retryOnConflict } from '@crowdvision/service-kit';
import type { Collection, Kept, Store, Write } from '@crowdvision/store';
import { allDocuments } from '../paging.ts';
import type { BuildingDocument, OwnerDocument, RegistryDocument, RemovedDocument, SensorDocument } from '../store.ts';
import { type Memberships, onlyAdministered, requireAdministered } from './access.ts';
import { newDocument, retainedOf, validBuilding } from './building-document.ts';

/** Most buildings one account is shown. */
const MOST_SHOWN = 10_000;

/**
 * Who changes what, and how: `apply` gets the building as it is and gives it as it is to be; it is called again when
 * somebody else was faster.
 */
export interface Change {
	memberships: Memberships;
	role: Role;
	apply(building: BuildingDocument): BuildingDocument;
}

/**
 * The buildings. Each belongs to domains, and whoever is in none of them cannot tell it from one that does not exist.
 */
export class Buildings implements RetainedSource {
	readonly #store: Store;
	readonly #buildings: Collection<BuildingDocument>;
	readonly #owners: Collection<OwnerDocument>;
	readonly #registries: Collection<RegistryDocument>;
	readonly #sensors: Collection<SensorDocument>;
	readonly #removed: Collection<RemovedDocument>;

	constructor(store: Store) {
		this.#store = store;
		this.#buildings = store.collection('buildings');
		this.#owners = store.collection('owners');
		this.#registries = store.collection('registries');
		this.#sensors = store.collection('sensors');
		this.#removed = store.collection('removed');
	}

	/**
	 * Takes a building JSON, whole or not at all.
	 * @throws CrowdVisionError `invalid` with the path of each mistake, `forbidden` for a domain the caller does not
	 * administer, `conflict` for an id in use. That tells that somebody has the id, and no more: ids are the same for
	 * all, since topics and streams name buildings by them.
	 */
	async create(value: unknown, memberships: Memberships): Promise<BuildingDocument> {
		const given = validBuilding(value);
		const building = newDocument(given, given.domains?.length ? given.domains : [onlyAdministered(memberships)]);
		requireAdministered(memberships, building.domains);
		if (await this.#insert(building)) return building;
		throw new CrowdVisionError('conflict', 'There is a building with this id already', { path: '/id' });
	}

	/** Makes sure that there is a building with this id; one that exists stays as it is. */
	async ensure(building: Building & { domains: string[] }): Promise<void> {
		await this.#insert(newDocument(validBuilding(building), building.domains));
	}

	/**
	 * @throws CrowdVisionError `not_found` for a building that is unknown or foreign, `forbidden` for a member of too
	 * little weight.
	 */
	async get(id: string, memberships: Memberships, role: Role = 'standard_customer'): Promise<BuildingDocument> {
		return (await this.#find(id, memberships, role)).value;
	}

	/** Those the caller may see, by id. */
	async visibleTo(memberships: Memberships): Promise<BuildingDocument[]> {
		const names = [...new Set(memberships.map(({ domainName }) => domainName))];
		const conditions = [{ in: names }, ...names.map((name) => ({ gt: `${name}/`, lt: `${name}0` }))];
		const found = await Promise.all(
			conditions.map((domain) => this.#owners.find({ where: { domain }, order: { by: 'domain' }, limit: MOST_SHOWN })),
		);
		const ids = new Set(found.flat().map(({ value }) => value.buildingId));
		return (await this.#buildings.getAll([...ids].slice(0, MOST_SHOWN))).map(({ value }) => value);
	}

	/**
	 * Changes a building; sensors of rooms that are no more are no longer registered. Resolves with the building and
	 * those sensors.
	 * @throws CrowdVisionError as `get` does, `invalid` for what would be no building, `forbidden` for domains the caller
	 * does not administer, and what
	 * `apply` throws.
	 */
	change(
		id: string,
		{ memberships, role, apply }: Change,
	): Promise<{ building: BuildingDocument; unregistered: string[] }> {
		return retryOnConflict(async () => {
			const registry = await this.#registries.get(id);
			const kept = await this.#find(id, memberships, role);
			const before = kept.value;
			const building = apply(before);
			requireAdministered(memberships, difference(before.domains, building.domains));
			const rooms = new Set(building.rooms.map((room) => room.id));
			const roomsWent = before.rooms.some((room) => !rooms.has(room.id));
			const unregistered = roomsWent ? (await this.#sensorsOf(id)).filter(({ value }) => !rooms.has(value.roomId)) : [];
			await this.#store.commit([
				this.#buildings.replace(kept, building),
				...(roomsWent ? [this.#touch(id, registry)] : []),
				...this.#owned(id, before.domains, building.domains),
				...unregistered.map((sensor) => this.#sensors.remove(sensor)),
			]);
			return { building, unregistered: unregistered.map((sensor) => sensor.id) };
		});
	}

	/** Removes the building with its sensors, limits, columns and history. Resolves with the sensors it had. */
	async remove(
		id: string,
		memberships: Memberships,
		check: (building: BuildingDocument) => void = () => {},
	): Promise<string[]> {
		const sensors = await retryOnConflict(async () => {
			const registry = await this.#registries.get(id);
			const kept = await this.#find(id, memberships, 'business_admin');
			check(kept.value);
			const registered = await this.#sensorsOf(id);
			await this.#store.commit([
				this.#buildings.remove(kept),
				...(registry ? [this.#registries.remove(registry)] : []),
				...this.#owned(id, kept.value.domains, []),
				...registered.map((sensor) => this.#sensors.remove(sensor)),
				this.#removed.put(id, { unfinished: true, at: Date.now() }),
			]);
			return registered.map((sensor) => sensor.id);
		});
		await this.#forget(id);
		return sensors;
	}

	/** Ends removals that were cut short before all readings were gone. */
	async finishRemovals(): Promise<void> {
		for (const { id } of await this.#removed.find({ where: { unfinished: true }, limit: 1000 })) await this.#forget(id);
	}

	async keys(): Promise<string[]> {
		return (await allDocuments(this.#buildings, 'id')).map(({ id }) => id);
	}

	async read(id: string): Promise<string | null> {
		const kept = await this.#buildings.get(id);
		return kept ? JSON.stringify(retainedOf(kept.value)) : null;
	}

	/**
	 * False when the id is taken. Readings that came under the id of a building that was removed are not the new one's to
	 * see.
	 */
	#insert(building: BuildingDocument): Promise<boolean> {
		return retryOnConflict(async () => {
			if (await this.#buildings.get(building.id)) return false;
			const removed = await this.#removed.get(building.id);
			if (removed) await this.#store.readings.removeBuilding(building.id);
			await this.#store.commit([
				this.#buildings.insert(building.id, building),
				this.#registries.put(building.id, {}),
				...this.#owned(building.id, [], building.domains),
				...(removed ? [this.#removed.remove(removed)] : []),
			]);
			return true;
		});
	}

	async #forget(id: string): Promise<void> {
		// Whoever made a new building of this id meanwhile has done it.
		if (!(await this.#removed.get(id))) return;
		await this.#store.readings.removeBuilding(id);
		await retryOnConflict(async () => {
			const removed = await this.#removed.get(id);
			if (removed?.value.unfinished)
				await this.#store.commit([this.#removed.replace(removed, { ...removed.value, unfinished: false })]);
		});
	}

	async #find(id: string, memberships: Memberships, role: Role): Promise<Kept<BuildingDocument>> {
		const kept = await this.#buildings.get(id);
		requireRole({ memberships }, kept?.value.domains ?? [], role, 'such building');
		if (!kept) throw new Error('a building without domains passed the guard');
		return kept;
	}

	#sensorsOf(buildingId: string): Promise<Kept<SensorDocument>[]> {
		return allDocuments(this.#sensors, 'sensorId', { buildingId });
	}

	#touch(id: string, registry: Kept<RegistryDocument> | undefined): Write {
		return registry ? this.#registries.replace(registry, {}) : this.#registries.insert(id, {});
	}

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

/** What is in one of the two only. */
function difference(a: readonly string[], b: readonly string[]): string[] {
	return [...a.filter((one) => !b.includes(one)), ...b.filter((one) => !a.includes(one))];
}
