/** The tenants of the random histories, and what is whose. */

export const TENANTS = ['north', 'south', 'west'] as const;
export type TenantName = (typeof TENANTS)[number];
export const BUILDING_IDS = ['annex', 'tower'] as const;
export const SENSOR_IDS = ['eye', 'door'] as const;
export const ROOM_IDS = ['board', 'side'] as const;

/** A value that was sent, and where: the number says which building, of all that had the id, and which of its rooms. */
export interface Sent {
	by: TenantName;
	building: number;
	room: number;
}

export interface Building {
	by: TenantName;
	/** Differs from every other building, also of the same id. */
	incarnation: number;
	/** Of each room that it has. */
	rooms: Map<string, number>;
	/** The last value of each room. */
	last: Map<string, number>;
	/** Registered in it. */
	sensors: Set<string>;
}
