import { isDeepStrictEqual } from 'node:util';
import {
	type Building,
	type BuildingSummary,
	buildingProblems,
	firstGeneration,
	type Generational,
	generationKey,
	generationTime,
	isFirstGeneration,
	limitsIn,
	type MetricLookup,
	nextGeneration,
	type RetainedBuilding,
	type Room,
	type RoomCombine,
	type RoomSummary,
} from '@crowdvision/contracts';
import { invalid } from '@crowdvision/service-kit';
import type { BuildingDocument } from '../store.ts';

/**
 * Checks a building JSON.
 * @param before the building that it changes: what an earlier version took of it, and is refused now, may stay
 * @throws CrowdVisionError `invalid` with the path of each mistake
 */
export function validBuilding(value: unknown, catalog: MetricLookup, before?: unknown): Building {
	const found = buildingProblems(value, catalog);
	const known = found.length > 0 && before !== undefined ? buildingProblems(before, catalog) : [];
	const problems = found.filter((one) => !known.some((other) => isDeepStrictEqual(one, other)));
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

/**
 * The document as a building of its own, whatever had its id before.
 * @param removed the building that had its id before, if there was one
 */
export function begun(
	document: BuildingDocument,
	removed: { generation?: string } | undefined,
	now: number,
): BuildingDocument {
	const generation = removed ? nextGeneration(now, Math.random(), removed.generation) : firstGeneration(now);
	return { ...document, generation, ...(removed && { reused: true }) };
}

/** What tells a building and its rooms from others that had their ids. */
type Lineage = Pick<BuildingDocument, 'generation' | 'reused' | 'roomGenerations'>;

/** Which building of its id this is. */
export function buildingGeneration({ generation, reused }: Lineage): Generational {
	return {
		...(generation !== undefined && { generation }),
		...(generation !== undefined && reused && { since: generationTime(generation) }),
	};
}

/** Which room of its id this room of the building is. */
export function roomGeneration(building: Lineage, roomId: string): Generational {
	const { roomGenerations = {} } = building;
	if (!Object.hasOwn(roomGenerations, roomId)) return buildingGeneration(building);
	const generation = roomGenerations[roomId]!;
	return { generation, since: generationTime(generation) };
}

/** The id under which the readings of a room are stored. */
export const storedRoomId = (building: Lineage, roomId: string): string =>
	storedUnder(roomId, roomGeneration(building, roomId).generation);

/**
 * The id under which readings of a generation of a room are stored. Those of the first building that has an id are
 * found beside those that came before it was made, for which there was no generation.
 */
export const storedUnder = (roomId: string, generation: string | undefined): string =>
	generation === undefined || isFirstGeneration(generation) ? roomId : generationKey(roomId, generation);

/** How the room that is stored under an id combines its sensors, if the room says so. */
export const combineIn = (building: BuildingDocument | undefined, storedId: string): RoomCombine | undefined =>
	building?.rooms.find(({ id }) => storedRoomId(building, id) === storedId)?.combine;

/** The metrics of rooms, by the ids they are stored under, that are combined otherwise than before. */
export function recombined(before: BuildingDocument, after: BuildingDocument): { roomId: string; metric: string }[] {
	return after.rooms.flatMap((room) => {
		const roomId = storedRoomId(after, room.id);
		const earlier = combineIn(before, roomId) ?? {};
		const now = room.combine ?? {};
		return [...new Set([...Object.keys(earlier), ...Object.keys(now)])]
			.filter((metric) => !isDeepStrictEqual(earlier[metric], now[metric]))
			.map((metric) => ({ roomId, metric }));
	});
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
export function retainedOf(building: BuildingDocument): RetainedBuilding {
	const { id, name, domains, timeZone, rooms, thresholds } = building;
	return {
		id,
		name,
		domains,
		...buildingGeneration(building),
		...(timeZone !== undefined && { timeZone }),
		rooms: rooms.map((room) => ({
			id: room.id,
			name: room.name ?? room.id,
			capacity: room.capacity,
			...(room.floor !== undefined && { floor: room.floor }),
			limits: limitsIn(thresholds, room),
			...(room.combine && { combine: room.combine }),
			...roomGeneration(building, room.id),
		})),
	};
}

/**
 * The document with these rooms instead; the thresholds of removed rooms are removed too. A room that is added is a
 * room of its own, whatever had its id before.
 */
export function withRooms(document: BuildingDocument, rooms: Room[], now: number): BuildingDocument {
	const ids = new Set(rooms.map((room) => room.id));
	const overrides = Object.entries(document.thresholds.rooms).filter(([roomId]) => ids.has(roomId));
	const before = new Set(document.rooms.map((room) => room.id));
	const { roomGenerations: known = {}, ...rest } = document;
	const stay = Object.entries(known).filter(([roomId]) => ids.has(roomId));
	const latest = Object.values(known)
		.concat(document.generation ?? [])
		.sort()
		.at(-1);
	const added = rooms.filter(({ id }) => !before.has(id));
	const begin = added.length > 0 ? nextGeneration(now, Math.random(), latest) : '';
	const roomGenerations = Object.fromEntries([...stay, ...added.map(({ id }) => [id, begin] as const)]);
	return {
		...rest,
		rooms,
		thresholds: { ...document.thresholds, rooms: Object.fromEntries(overrides) },
		...(Object.keys(roomGenerations).length > 0 && { roomGenerations }),
	};
}
