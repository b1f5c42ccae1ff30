import { CrowdVisionError, tenantOf } from '@crowdvision/contracts';
import { allDocuments, type Collection, type Store, type Versioned, type Write } from '@crowdvision/store';
import type { BuildingDocument, RegistryDocument, SensorDocument } from '../store.ts';

/** A building as far as its tenants are concerned. */
type Owned = Pick<BuildingDocument, 'id' | 'domains'>;

/** Keeps sensor ids unique within each tenant: of two tenants, each may have a sensor of the same id. */
export class TenantSensors {
	readonly #buildings: Collection<BuildingDocument>;
	readonly #registries: Collection<RegistryDocument>;
	readonly #sensors: Collection<SensorDocument>;

	constructor(store: Store) {
		this.#buildings = store.collection('buildings');
		this.#registries = store.collection('registries');
		this.#sensors = store.collection('sensors');
	}

	/** The sensors of an id, of all tenants. */
	named(sensorId: string): Promise<Versioned<SensorDocument>[]> {
		return allDocuments(this.#sensors, { where: { sensorId }, by: 'buildingId' });
	}

	/** Whether one of these sensors is in another building of a tenant of `building`. */
	async isTaken(building: Owned, sensors: readonly Versioned<SensorDocument>[]): Promise<boolean> {
		const elsewhere = new Set(sensors.map(({ value }) => value.buildingId).filter((id) => id !== building.id));
		if (elsewhere.size === 0) return false;
		const tenants = tenantsOf(building.domains);
		const others = await this.#buildings.getAll([...elsewhere]);
		return others.some(({ value }) => value.domains.some((domain) => tenants.has(tenantOf(domain))));
	}

	/**
	 * The writes that make parallel registrations for the same tenants conflict, so that no two of them take one id.
	 */
	async claim(domains: readonly string[]): Promise<Write[]> {
		// Ids of buildings hold no slash.
		const ids = [...tenantsOf(domains)].map((tenant) => `/${tenant}`);
		const found = new Map((await this.#registries.getAll(ids)).map((document) => [document.id, document]));
		return ids.map((id) => {
			const known = found.get(id);
			return known ? this.#registries.replace(known, {}) : this.#registries.insert(id, {});
		});
	}

	/**
	 * The writes that let a building with these sensors pass to other domains.
	 * @throws CrowdVisionError `conflict` when a tenant that it comes to has a sensor of the same id elsewhere
	 */
	async pass(before: Owned, after: Owned, sensors: readonly Versioned<SensorDocument>[]): Promise<Write[]> {
		const had = tenantsOf(before.domains);
		const added = after.domains.filter((domain) => !had.has(tenantOf(domain)));
		if (added.length === 0) return [];
		for (const { value } of sensors) {
			if (await this.isTaken({ ...after, domains: added }, await this.named(value.sensorId)))
				throw new DuplicateSensor(
					`Another building of ${added.join(', ')} has a sensor "${value.sensorId}": unregister one of them first`,
				);
		}
		return this.claim(added);
	}
}

/** Not a CrowdVisionError, because `retryOnConflict` would retry that. */
class DuplicateSensor extends Error {}

/** Runs a change of buildings. @throws CrowdVisionError `conflict` for what `TenantSensors.pass` refuses */
export async function refusingDuplicates<T>(change: Promise<T>): Promise<T> {
	try {
		return await change;
	} catch (error) {
		if (error instanceof DuplicateSensor) throw new CrowdVisionError('conflict', error.message, { path: '/domains' });
		throw error;
	}
}

const tenantsOf = (domains: readonly string[]) => new Set(domains.map(tenantOf));
