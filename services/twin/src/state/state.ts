/** Computes the live state of a building's rooms. */
import { START } from '@crowdvision/bus';
import {
	type BuildingState,
	type MetricLookup,
	occupancy,
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
	const rooms = building.rooms.map(({ id, capacity }) => [
		id,
		roomState(byRoom.get(storedRoomId(building, id)) ?? [], { offlineSince, catalog }, capacity, now),
	]);
	return { cursor: position ?? START, rooms: Object.fromEntries(rooms) };
}

function roomState(
	latest: Latest[],
	{ offlineSince, catalog }: { offlineSince: ReadonlyMap<string, number>; catalog: MetricLookup },
	capacity: number,
	now: number,
): RoomState {
	const state: RoomState = { values: {} };
	for (const [metric, ofMetric] of Map.groupBy(latest, ({ metric }) => metric)) {
		const sensors = ofMetric.map(({ sensorId, value, low, high, observedAt, freshFor, unchangedSince, transport }) => {
			const offlineAt = offlineSince.get(sensorId);
			const interval = low !== undefined && high !== undefined && { low, high };
			return {
				sensorId,
				value,
				...interval,
				observedAt,
				...(freshFor !== undefined && { freshFor }),
				unchangedSince,
				...(offlineAt !== undefined && { offlineAt }),
				...(transport && { transport }),
			};
		});
		const value = roomValue(metric, sensors, now, catalog);
		if (value) state.values[metric] = value;
	}
	const count = state.values.peopleCount;
	if (count && !count.stale) state.occupancy = occupancy(count.value, capacity);
	return state;
}
