import {
	type AccountClaims,
	type Alert,
	CrowdVisionError,
	isOf,
	type Reading,
	type RetainedBuilding,
	type RetainedRemoval,
	type RetainedRoom,
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
	/** Rooms by building and id; computed when they are first asked for. */
	readonly #rooms = new Map<string, ReadonlyMap<string, RetainedRoom>>();
	readonly #removals = new Map<string, RetainedRemoval>();
	readonly #listeners = new Set<(buildingId: string) => void>();
	readonly #logger: Logger;

	constructor(logger: Logger) {
		this.#logger = logger;
	}

	/** Follows the bus until closed; resolves once every present building is known. */
	async follow(bus: Watchable): Promise<{ close(): Promise<void> }> {
		const buildings = await bus.watch(TABLES.buildings, (key, value) => this.#apply(key, value));
		const removals = await bus.watch(TABLES.removedBuildings, (key, value) => this.#applyRemoval(key, value));
		return {
			close: async () => {
				await removals.close();
				await buildings.close();
			},
		};
	}

	get(buildingId: string): RetainedBuilding | undefined {
		return this.#buildings.get(buildingId);
	}

	/**
	 * Which generations of this id are over, so that what is kept of them is to be forgotten. Undefined where that is not
	 * known: a building that is merely not announced may be announced again.
	 */
	ended(buildingId: string): { isOver(generation: string | undefined): boolean } | undefined {
		const building = this.#buildings.get(buildingId);
		const removal = this.#removals.get(buildingId);
		if (building) return { isOver: (generation = '') => generation < (building.generation ?? '') };
		return removal && { isOver: (generation = '') => generation <= (removal.generation ?? '') };
	}

	room(buildingId: string, roomId: string): RetainedRoom | undefined {
		let rooms = this.#rooms.get(buildingId);
		if (!rooms) {
			rooms = new Map(this.#buildings.get(buildingId)?.rooms.map((room) => [room.id, room]));
			if (rooms.size > 0) this.#rooms.set(buildingId, rooms);
		}
		return rooms.get(roomId);
	}

	/** Whether a reading belongs to a building that is known, and not to an earlier one of its ids. */
	owns(reading: Pick<Reading, 'buildingId' | 'roomId' | 'receivedAt' | 'generation' | 'senderDomain'>): boolean {
		const { buildingId, roomId } = reading;
		const building = this.#buildings.get(buildingId);
		return building !== undefined && isOf(reading, building, this.room(buildingId, roomId));
	}

	/**
	 * The generation under which to keep what a reading says of its room; false for a reading that belongs to an earlier
	 * building or room, or to nobody's. A generation that is not known yet is one that is still to be announced.
	 */
	generationFor(
		reading: Pick<Reading, 'buildingId' | 'roomId' | 'receivedAt' | 'generation' | 'senderDomain'>,
	): string | undefined | false {
		const { buildingId, roomId, generation } = reading;
		const building = this.#buildings.get(buildingId);
		const room = this.room(buildingId, roomId);
		if (generation !== undefined) {
			const latest = room?.generation ?? building?.generation;
			return latest !== undefined && generation < latest ? false : generation;
		}
		if (building && !isOf(reading, building, room)) return false;
		return room?.generation;
	}

	/** Whether an alert is of the building and room that have its ids now, not of earlier ones. */
	isCurrent({ buildingId, roomId, generation }: Pick<Alert, 'buildingId' | 'roomId' | 'generation'>): boolean {
		if (this.ended(buildingId)?.isOver(generation)) return false;
		const room = roomId === undefined ? undefined : this.room(buildingId, roomId);
		return !room || room.generation === generation;
	}

	/** Calls `listener` whenever a building is added, changed or removed. */
	onChange(listener: (buildingId: string) => void): void {
		this.#listeners.add(listener);
	}

	/** The ids of the buildings that have no other owner than this domain, sorted. */
	ownedOnlyBy(domain: string): string[] {
		const owned = [...this.#buildings.values()].filter(({ domains }) => domains.every((owner) => owner === domain));
		return owned.map(({ id }) => id).sort();
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

	#applyRemoval(key: string, value: string | null): void {
		if (value === null) return void this.#removals.delete(key);
		if (JSON.stringify(this.#removals.get(key)) === value) return;
		try {
			this.#removals.set(key, JSON.parse(value) as RetainedRemoval);
		} catch (error) {
			this.#logger.error({ err: error, buildingId: key }, 'that a building was removed could not be read');
			return;
		}
		for (const listener of this.#listeners) listener(key);
	}

	#apply(key: string, value: string | null): void {
		const known = this.#buildings.get(key);
		// The owner repeats its values from time to time.
		if (known ? JSON.stringify(known) === value : value === null) return;
		this.#rooms.delete(key);
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
