import { callerOf, type Request, type RetainedTable, type Tokens } from '@crowdvision/service-kit';
import type { Readings } from '@crowdvision/store';
import type { Memberships } from './access.ts';
import type { Buildings } from './buildings.ts';
import type { OfflineDevices } from './on-device.ts';
import type { Sensors } from './sensors.ts';

/** What the routes are made of. */
export interface TwinParts {
	buildings: Buildings;
	sensors: Sensors;
	readings: Readings;
	offline: OfflineDevices;
	tokens: Tokens;
	/** What the others know of buildings and sensors. */
	told: { buildings: RetainedTable; sensors: RetainedTable };
}

export const idOf = (request: Request): string => String(request.params.id);
export const memberships = (request: Request): Memberships => callerOf(request).memberships;
export const ifMatch = (request: Request): string | undefined => request.headers['if-match'];
