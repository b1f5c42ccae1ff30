import type { MetricKey, Room, Thresholds } from '@crowdvision/contracts';
import type { CollectionDefinition } from '@crowdvision/store';

/** What twin keeps beside the readings. */
export const COLLECTIONS: Record<string, CollectionDefinition> = {
	buildings: { indexes: { byId: { fields: ['id'] } } },
	owners: { indexes: { byDomain: { fields: ['domain'] } } },
	registries: {},
	sensors: { indexes: { byId: { fields: ['sensorId'] }, byBuilding: { fields: ['buildingId', 'sensorId'] } } },
	removed: { indexes: { unfinished: { fields: ['unfinished'] } } },
	offline: { indexes: { byTime: { fields: ['at'] } } },
	leases: {},
};

/** A building with all that is decided for it: one document, changed as one. By its id. */
export interface BuildingDocument {
	id: string;
	name: string;
	/** At least one. */
	domains: string[];
	timeZone?: string;
	rooms: Room[];
	thresholds: Thresholds;
	/** Absent: those of the catalog. */
	columns?: MetricKey[];
}

/** That a building is of a domain, so that a domain's buildings are found. By both. */
export interface OwnerDocument {
	domain: string;
	buildingId: string;
}

/**
 * Beside each building, by the same id: written anew with every change of its rooms and of its sensors, so that of a
 * room that is removed and a sensor that is registered in it at the same time one must see the other.
 */
export type RegistryDocument = Record<string, never>;

/** Where a sensor stands. By its id. */
export interface SensorDocument {
	sensorId: string;
	buildingId: string;
	roomId: string;
}

/** That a building of this id was removed. `unfinished`: its readings may be there still. By the building's id. */
export interface RemovedDocument {
	unfinished: boolean;
	/** Epoch ms. */
	at: number;
}

/** That a device said it is gone, and when. By the sensor's id. */
export interface OfflineDocument {
	at: number;
}
