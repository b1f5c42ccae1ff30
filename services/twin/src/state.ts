import { START } from '@crowdvision/bus';
import { type BuildingState, type MetricKey, occupancy, type RoomState, roomValue, STREAMS } from '@crowdvision/contracts';
import type { KeptBuilding } from './buildings.ts';
import type { Latest, Readings } from './readings.ts';

/** What is known of each room now. A metric nobody measured is absent; a value not heard of for a while is stale. */
export async function buildingState(readings: Readings, building: KeptBuilding, now: number): Promise<BuildingState> {
	const { position, latest } = await readings.latest(STREAMS.telemetry, building.id);
	const byRoom = Map.groupBy(latest, ({ roomId }) => roomId);
	const rooms: BuildingState['rooms'] = {};
	for (const room of building.rooms) rooms[room.id] = roomState(byRoom.get(room.id) ?? [], room.capacity, now);
	return { cursor: position ?? START, rooms };
}

function roomState(latest: Latest[], capacity: number, now: number): RoomState {
	const state: RoomState = { values: {} };
	for (const [metric, ofMetric] of Map.groupBy(latest, (one) => one.metric) as Map<MetricKey, Latest[]>) {
		const sensors = ofMetric.map(({ sensorId, value, observedAt, transport }) => ({ sensorId, value, observedAt, ...(transport && { transport }) }));
		const value = roomValue(metric, sensors, now);
		if (value) state.values[metric] = value;
	}
	const count = state.values.peopleCount;
	if (count && !count.stale) state.occupancy = occupancy(count.value, capacity);
	return state;
}
