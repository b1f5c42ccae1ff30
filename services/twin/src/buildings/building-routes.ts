/** The HTTP routes of buildings and their rooms. */
import {
	buildingChange,
	CrowdVisionError,
	combineProblems,
	type MetricLookup,
	type Room,
	type RoomCombine,
	roomChange,
	thresholdSetProblems,
} from '@crowdvision/contracts';
import {
	invalid,
	jsonBody,
	nextCursorOf,
	pageOf,
	parseBody,
	type RetainedTable,
	type Router,
	requireMatch,
	tagOf,
} from '@crowdvision/service-kit';
import type { BuildingDocument } from '../store.ts';
import { roomSummary, summaryOf, validBuilding, withRooms } from './building-document.ts';
import type { Buildings } from './buildings.ts';
import { idOf, ifMatch, memberships } from './requests.ts';

export interface BuildingRouteParts {
	buildings: Buildings;
	tables: { buildings: RetainedTable; sensors: RetainedTable; removed: RetainedTable };
	catalog: MetricLookup;
}

/** The room with another `combine`, if it is given; null: with none. */
function combinedAs({ combine: before, ...room }: Room, combine: RoomCombine | null | undefined): Room {
	const after = combine === undefined ? before : combine;
	return after ? { ...room, combine: after } : room;
}

/** `/buildings`, `/buildings/{id}` and `/buildings/{id}/rooms/{roomId}`. */
export function addBuildingRoutes(router: Router, { buildings, tables, catalog }: BuildingRouteParts): void {
	router.get('/buildings', async (request, response) => {
		const { buildings: found, next } = await buildings.visibleTo(memberships(request), pageOf(request, ['string']));
		response.json({ buildings: found.map(summaryOf), ...nextCursorOf(next) });
	});

	router.post('/buildings', jsonBody(), async (request, response) => {
		const building = await buildings.create(request.body, memberships(request));
		await Promise.all([tables.buildings.changed(building.id), tables.removed.changed(building.id)]);
		response
			.status(201)
			.set('ETag', tagOf(summaryOf(building)))
			.json(summaryOf(building));
	});

	router.get('/buildings/:id', async (request, response) => {
		const summary = summaryOf(await buildings.get(idOf(request), memberships(request)));
		response.set('ETag', tagOf(summary)).json(summary);
	});

	router.patch('/buildings/:id', jsonBody(), async (request, response) => {
		await buildings.get(idOf(request), memberships(request), 'business_admin');
		const { name, domains, timeZone, rooms } = parseBody(buildingChange, request.body);
		const { building, unregistered } = await buildings.change(idOf(request), {
			memberships: memberships(request),
			role: 'business_admin',
			apply: (before) => {
				requireMatch(ifMatch(request), summaryOf(before));
				const after: BuildingDocument = {
					...before,
					...(name !== undefined && { name }),
					...(domains?.length && { domains: [...new Set(domains)] }),
					...(timeZone !== undefined && { timeZone }),
				};
				const changed = rooms ? withRooms(after, rooms, Date.now()) : after;
				validBuilding(summaryOf(changed), catalog, summaryOf(before));
				return changed;
			},
		});
		await Promise.all([
			tables.buildings.changed(building.id),
			tables.sensors.changed(...unregistered),
			buildings.finishRecombined(),
		]);
		response.set('ETag', tagOf(summaryOf(building))).json(summaryOf(building));
	});

	router.delete('/buildings/:id', async (request, response) => {
		const id = idOf(request);
		const unregistered = await buildings.remove(id, memberships(request), (building) =>
			requireMatch(ifMatch(request), summaryOf(building)),
		);
		await Promise.all([
			tables.buildings.changed(id),
			tables.sensors.changed(...unregistered),
			tables.removed.changed(id),
		]);
		response.status(204).end();
	});

	router.patch('/buildings/:id/rooms/:roomId', jsonBody(), async (request, response) => {
		const roomId = String(request.params.roomId);
		const roomOf = (building: BuildingDocument) => {
			const found = building.rooms.find(({ id }) => id === roomId);
			if (!found) throw new CrowdVisionError('not_found', 'There is no such room');
			return found;
		};
		const present = roomOf(await buildings.get(idOf(request), memberships(request), 'business_staff'));
		const { thresholds, combine, ...change } = parseBody(roomChange, request.body);
		const { capacity } = { ...present, ...change };
		const problems = [
			...(thresholds ? thresholdSetProblems(thresholds, '/thresholds', catalog, capacity) : []),
			...(combine ? combineProblems(combine, '/combine', catalog) : []),
		];
		if (problems.length > 0) throw invalid(problems);
		const { building } = await buildings.change(idOf(request), {
			memberships: memberships(request),
			role: 'business_staff',
			apply: (before) => {
				requireMatch(ifMatch(request), roomSummary(roomOf(before), before));
				const rooms = before.rooms.map((room) =>
					room.id === roomId ? combinedAs({ ...room, ...change }, combine) : room,
				);
				if (thresholds === undefined) return { ...before, rooms };
				const others = Object.entries(before.thresholds.rooms).filter(([id]) => id !== roomId);
				const own = thresholds === null ? [] : [[roomId, thresholds]];
				return {
					...before,
					rooms,
					thresholds: { ...before.thresholds, rooms: Object.fromEntries([...others, ...own]) },
				};
			},
		});
		await Promise.all([tables.buildings.changed(building.id), buildings.finishRecombined()]);
		const summary = roomSummary(roomOf(building), building);
		response.set('ETag', tagOf(summary)).json(summary);
	});
}
