import type { BuildingSummary } from '@crowdvision/contracts';
import { computed, type Ref } from 'vue';
import type { LiveConnection } from '../../api/live.ts';
import { type SensorView, sensorViews } from '../../lib/rooms/sensor-view.ts';
import { useCatalog } from '../app/use-catalog.ts';
import { useLiveBuilding } from './use-live-building.ts';
import { useLiveConnection } from './use-live-connection.ts';
import { useNow } from './use-now.ts';

/**
 * The sensors that measure in a room, with their latest values, live. `refused` is called when the session has ended
 * or the building cannot be seen.
 */
export function useRoomSensors(
	building: Ref<BuildingSummary>,
	roomId: Ref<string | undefined>,
	refused: (code: string) => void,
): Ref<readonly SensorView[]> {
	const { keys } = useCatalog();
	const now = useNow();
	const { connection }: { connection: LiveConnection } = useLiveConnection({
		telemetry: (readings) => live.onTelemetry(readings),
		device: (event) => live.onDevice(event),
		superseded: ({ buildingId }) => live.onSuperseded(buildingId),
		notification: () => undefined,
		connected: () => undefined,
		refused,
	});
	const live = useLiveBuilding(building, () => connection);
	const samples = computed(() =>
		roomId.value === undefined ? undefined : live.rooms.value.get(roomId.value)?.samples.value,
	);
	// The clock ticks every second; equal views keep their object, so nothing is rendered for it.
	return computed<readonly SensorView[]>((previous) => {
		const next = sensorViews(samples.value ?? {}, keys.value, now.value);
		return previous && JSON.stringify(previous) === JSON.stringify(next) ? previous : next;
	});
}
