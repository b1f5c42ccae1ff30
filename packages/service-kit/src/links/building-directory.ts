import {
	type AccountClaims,
	CrowdVisionError,
	type RetainedBuilding,
	ROLES,
	type Role,
	TABLES,
	type TableName,
	weightIn,
} from '@crowdvision/contracts';
import type { Logger } from '../logger.ts';

/** The part of the bus that a directory needs. */
interface Watchable {
	watch(table: TableName, handle: (key: string, value: string | null) => void): Promise<{ close(): Promise<void> }>;
}

/**
 * All buildings, as twin retains them on the bus: from here the other services know rooms, limits and owners. A
 * building that is not on the bus belongs to nobody.
 */
export class BuildingDirectory {
	readonly #buildings = new Map<string, RetainedBuilding>();
	readonly #listeners = new Set<(buildingId: string) => void>();
	readonly #logger: Logger;

	constructor(logger: Logger) {
		this.#logger = logger;
	}

	/** Follows the bus until closed; resolves once every present building is known. */
	follow(bus: Watchable): Promise<{ close(): Promise<void> }> {
		return bus.watch(TABLES.buildings, (key, value) => this.#apply(key, value));
	}

	get(buildingId: string): RetainedBuilding | undefined {
		return this.#buildings.get(buildingId);
	}

	/** Calls `listener` whenever a building is added, changed or removed. */
	onChange(listener: (buildingId: string) => void): void {
		this.#listeners.add(listener);
	}

	/** The buildings that an account with these memberships may see. */
	visibleTo(memberships: AccountClaims['memberships']): RetainedBuilding[] {
		return [...this.#buildings.values()].filter((building) => weightIn(memberships, building.domains) > 0);
	}

	/**
	 * The building, for a member with at least `role`.
	 * @throws CrowdVisionError `not_found` for a building that is unknown or foreign, `forbidden` for a lower role.
	 */
	require(memberships: AccountClaims['memberships'], buildingId: string, role: Role): RetainedBuilding {
		const building = this.#buildings.get(buildingId);
		const weight = building ? weightIn(memberships, building.domains) : 0;
		if (!building || weight === 0) throw new CrowdVisionError('not_found', 'There is no such building');
		if (weight < ROLES[role]) throw new CrowdVisionError('forbidden', `This needs the role ${role} or a higher one`);
		return building;
	}

	#apply(key: string, value: string | null): void {
		const known = this.#buildings.get(key);
		// The owner repeats its values from time to time.
		if (known ? JSON.stringify(known) === value : value === null) return;
		if (value === null) this.#buildings.delete(key);
		else {
			try {
				this.#buildings.set(key, JSON.parse(value) as RetainedBuilding);
			} catch (error) {
				this.#logger.error({ err: error, buildingId: key }, 'a retained building could not be read');
				this.#buildings.delete(key);
			}
		}
		for (const listener of this.#listeners) listener(key);
	}
}
