import {
	type Building,
	type BuildingSummary,
	buildingProblems,
	limitsIn,
	type RetainedBuilding,
	type Room,
	type RoomSummary,
} from '@crowdvision/contracts';
import { invalid } from '@crowdvision/service-kit';
import type { BuildingDocument } from '../store.ts';

/** @throws CrowdVisionError `invalid` with the path of each mistake. */
export function validBuilding(value: unknown): Building {
	const problems = buildingProblems(value);
	if (problems.length > 0) throw invalid(problems);
	return value as Building;
}

/** What is kept of a new building JSON. */
export function newDocument({ id, name, timeZone, rooms }: Building, domains: readonly string[]): BuildingDocument {
	return {
		id,
		name: name ?? id,
		domains: [...new Set(domains)],
		...(timeZone !== undefined && { timeZone }),
		rooms,
		thresholds: { building: {}, rooms: {} },
	};
}

/** The building JSON, as it is given back. */
export function summaryOf({ id, name, domains, timeZone, rooms }: BuildingDocument): BuildingSummary {
	return { id, name, domains, ...(timeZone !== undefined && { timeZone }), rooms };
}

export function roomSummary(room: Room, { thresholds }: BuildingDocument): RoomSummary {
	const own = Object.hasOwn(thresholds.rooms, room.id) ? thresholds.rooms[room.id] : undefined;
	return { ...room, ...(own && { thresholds: own }) };
}

/** What every service may know of the building. */
export function retainedOf({ id, name, domains, timeZone, rooms, thresholds }: BuildingDocument): RetainedBuilding {
	return {
		id,
		name,
		domains,
		...(timeZone !== undefined && { timeZone }),
		rooms: rooms.map((room) => ({
			id: room.id,
			name: room.name ?? room.id,
			capacity: room.capacity,
			...(room.floor !== undefined && { floor: room.floor }),
			limits: limitsIn(thresholds, room),
		})),
	};
}

/** The document with other rooms; limits of rooms that are no more go with them. */
export function withRooms(document: BuildingDocument, rooms: Room[]): BuildingDocument {
	const ids = new Set(rooms.map((room) => room.id));
	const overrides = Object.entries(document.thresholds.rooms).filter(([roomId]) => ids.has(roomId));
	return { ...document, rooms, thresholds: { ...document.thresholds, rooms: Object.fromEntries(overrides) } };
}
