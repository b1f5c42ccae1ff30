import type { Room } from '@crowdvision/contracts';

/** A floor of a building and its rooms. */
export interface Floor {
	/** Undefined for the rooms without a floor. */
	floor: number | string | undefined;
	rooms: Room[];
}

/**
 * Groups rooms by floor: numbered floors upwards, then named floors by name, then the rooms without a floor. Inside a
 * floor the building's own order stays.
 */
export function byFloor(rooms: readonly Room[]): Floor[] {
	const floors = new Map<string, Floor>();
	for (const room of rooms) {
		const key = `${typeof room.floor}:${room.floor}`;
		const floor = floors.get(key);
		if (floor) floor.rooms.push(room);
		else floors.set(key, { floor: room.floor, rooms: [room] });
	}
	return [...floors.values()].sort((a, b) => compareFloors(a.floor, b.floor));
}

function compareFloors(a: Floor['floor'], b: Floor['floor']): number {
	if (typeof a === 'number' && typeof b === 'number') return a - b;
	if (typeof a === 'string' && typeof b === 'string') return a.localeCompare(b, 'en', { numeric: true });
	return rank(a) - rank(b);
}

const rank = (floor: Floor['floor']) => (typeof floor === 'number' ? 0 : typeof floor === 'string' ? 1 : 2);
