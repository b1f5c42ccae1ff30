/** Computes the live state of a building's rooms. */
import { START } from '@crowdvision/bus';
import {
	type BuildingState,
	isIncomplete,
	type MetricLookup,
	occupancy,
	type Room,
	type RoomState,
	roomValue,
	STREAMS,
} from '@crowdvision/contracts';
import type { Latest, Readings } from '@crowdvision/store';
import { storedRoomId } from '../buildings/building-document.ts';
import type { BuildingDocument } from '../store.ts';
import type { OfflineDevices } from './offline-devices.ts';

export interface StateParts {
	readings: Readings;
	offline: OfflineDevices;
	catalog: MetricLookup;
}

/**
 * The latest values of each room at `now` (epoch ms), with their freshness. A metric without readings is absent. The
 * state is true at its `cursor`, a position of the telemetry stream.
 */
export async function buildingState(
	{ readings, offline, catalog }: StateParts,
	building: BuildingDocument,
	now: number,
): Promise<BuildingState> {
	const { position, latest } = await readings.latest(STREAMS.telemetry, building.id);
	const offlineSince = await offline.since(building.id, [...new Set(latest.map(({ sensorId }) => sensorId))]);
	const byRoom = Map.groupBy(latest, ({ roomId }) => roomId);
	const rooms = building.rooms.map((room) => [
		room.id,
		roomState(byRoom.get(storedRoomId(building, room.id)) ?? [], { offlineSince, catalog }, room, now),
	]);
	return { cursor: position ?? START, rooms: Object.fromEntries(rooms) };
}

function roomState(
	latest: Latest[],
	{ offlineSince, catalog }: { offlineSince: ReadonlyMap<string, number>; catalog: MetricLookup },
	{ capacity, combine }: Pick<Room, 'capacity' | 'combine'>,
	now: number,
): RoomState {
	const state: RoomState = { values: {} };
	for (const [metric, ofMetric] of Map.groupBy(latest, ({ metric }) => metric)) {
		const sensors = ofMetric.map(({ roomId: _room, metric: _metric, ...sensor }) => {
			const offlineAt = offlineSince.get(sensor.sensorId);
			return { ...sensor, ...(offlineAt !== undefined && { offlineAt }) };
		});
		const value = roomValue(metric, sensors, now, catalog, combine);
		if (value) state.values[metric] = value;
	}
	const count = state.values.peopleCount;
	if (!count || count.stale) return state;
	const known = occupancy(count.value, capacity);
	// Of an incomplete sum only this is certain: there are more people than the room holds.
	if (!isIncomplete(count) || known === 'overcrowded') state.occupancy = known;
	return state;
}
