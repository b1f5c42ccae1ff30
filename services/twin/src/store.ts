import type { Room, Thresholds } from '@crowdvision/contracts';
import type { ReadingRetention, StoreDefinition } from '@crowdvision/store';

/** What twin stores: buildings, sensors, and readings with this retention. */
export const twinStore = (readings: ReadingRetention): StoreDefinition => ({
	collections: {
		buildings: { indexes: { byId: { fields: ['id'] } } },
		owners: { indexes: { byDomain: { fields: ['domain'] } } },
		registries: {},
		sensors: { indexes: { byId: { fields: ['sensorId'] }, byBuilding: { fields: ['buildingId', 'sensorId'] } } },
		removed: { indexes: { unfinished: { fields: ['unfinished'] } } },
		recombined: {},
		offline: { indexes: { byTime: { fields: ['at'] } } },
		leases: {},
	},
	readings,
});

/** A building with all its settings, changed as one document. Id: the building's id. */
export interface BuildingDocument {
	id: string;
	name: string;
	/** The domains that own it, at least one. */
	domains: string[];
	/** IANA name; UTC where absent. */
	timeZone?: string;
	rooms: Room[];
	thresholds: Thresholds;
	/** Metrics that the dashboard shows, in this order; those of the catalog where absent. */
	columns?: string[];
	/** Tells it from other buildings that had its id; absent in one that an earlier version made. */
	generation?: string;
	/** Whether its id was in use before. */
	reused?: boolean;
	/** The generations of rooms that were added later; all others have the building's. */
	roomGenerations?: Record<string, string>;
}

/** That a domain owns a building, to find the buildings of a domain. Id: both, as a JSON array. */
export interface OwnerDocument {
	domain: string;
	buildingId: string;
}

/**
 * Replaced with every change of a building's rooms or sensors: of two parallel changes, one that removes a room and one
 * that registers a sensor in it, one commit is refused. Id: the building's id. Likewise for each tenant, with every
 * sensor that it gets, so that none gets two of one id: the tenant's name after a slash.
 */
export type RegistryDocument = Record<string, never>;

/** The room in which a sensor is registered. Id: as `sensorKey`. */
export interface SensorDocument {
	sensorId: string;
	buildingId: string;
	roomId: string;
	/** How often it speaks, where somebody said so. */
	cadenceSeconds?: number;
}

/** That a building with this id was removed. Id: the building's id. */
export interface RemovedDocument {
	/** Whether readings of it may still be stored. */
	unfinished: boolean;
	/** Epoch ms. */
	at: number;
	/** Of the removed building. */
	generation?: string;
}

/**
 * A metric of a room that is combined otherwise than before: its history is to be computed again. Id: the values as a
 * JSON array.
 */
export interface RecombinedDocument {
	buildingId: string;
	/** The id under which the room is stored. */
	roomId: string;
	metric: string;
}

/** That a sensor's device has reported itself offline. Id: the sensor's id. */
export interface OfflineDocument {
	/** Epoch ms. */
	at: number;
}
