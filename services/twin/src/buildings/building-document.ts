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

/** Checks a building JSON. @throws CrowdVisionError `invalid` with the path of each mistake */
export function validBuilding(value: unknown): Building {
	const problems = buildingProblems(value);
	if (problems.length > 0) throw invalid(problems);
	return value as Building;
}

/** The document to store for a new building. */
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

/** The building as the API returns it. */
export function summaryOf({ id, name, domains, timeZone, rooms }: BuildingDocument): BuildingSummary {
	return { id, name, domains, ...(timeZone !== undefined && { timeZone }), rooms };
}

/** The room as the API returns it, with its own thresholds if it has some. */
export function roomSummary(room: Room, { thresholds }: BuildingDocument): RoomSummary {
	const own = Object.hasOwn(thresholds.rooms, room.id) ? thresholds.rooms[room.id] : undefined;
	return { ...room, ...(own && { thresholds: own }) };
}

/** The building as announced to the other services. */
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

/** The document with these rooms instead; the thresholds of removed rooms are removed too. */
export function withRooms(document: BuildingDocument, rooms: Room[]): BuildingDocument {
	const ids = new Set(rooms.map((room) => room.id));
	const overrides = Object.entries(document.thresholds.rooms).filter(([roomId]) => ids.has(roomId));
	return { ...document, rooms, thresholds: { ...document.thresholds, rooms: Object.fromEntries(overrides) } };
}
