import type { BuildingState, BuildingSummary, DeviceEvent, ReadingWithCursor } from '@crowdvision/contracts';
import { type Ref, shallowRef, watch } from 'vue';
import { getBuildingState } from '../../api/endpoints.ts';
import type { LiveConnection } from '../../api/live.ts';
import { FrameBatch } from '../../lib/live/frame-batch.ts';
import { RecentIds } from '../../lib/live/recent-ids.ts';
import { RetryTimer } from '../../lib/requests/retry-timer.ts';
import { LiveRooms } from './live-rooms.ts';

const SNAPSHOT_RETRY = { firstMs: 1000, longestMs: 30_000 };
/**
 * If the service asks for a new snapshot within this time after the last one, it cannot keep up: the next snapshot
 * waits longer each time.
 */
const SNAPSHOT_INTERVAL_MS = 30_000;
const MAX_RECENT_IDS = 5000;
const MAX_DEVICE_EVENTS = 1000;

/**
 * The latest values of every room of `building`: a snapshot, then everything after its cursor. Readings are applied in
 * order, once per animation frame. Pass the events of the live connection to `onTelemetry`, `onDevice` and
 * `onSuperseded`.
 */
export function useLiveBuilding(building: Ref<BuildingSummary | undefined>, connection: () => LiveConnection) {
	const live = new LiveRooms();
	/** Why the last request for a snapshot failed; undefined once one succeeded. */
	const error = shallowRef<unknown>();
	const loaded = shallowRef(false);
	/** Increases with each snapshot: history that was loaded before it may miss the time up to it. */
	const generation = shallowRef(0);

	let recentIds = new RecentIds(MAX_RECENT_IDS);
	let cursor: string | undefined;
	/** Device events since the snapshot was requested. It may not contain them, so they are applied after it again. */
	let deviceEvents: DeviceEvent[] = [];
	let request: AbortController | undefined;
	let loadedAt = Number.NEGATIVE_INFINITY;
	const retry = new RetryTimer(SNAPSHOT_RETRY);
	const batch = new FrameBatch<ReadingWithCursor>((readings) => live.applyReadings(readings));

	const applySnapshot = (id: string, state: BuildingState) => {
		loadedAt = Date.now();
		error.value = undefined;
		batch.flush();
		live.applySnapshot(state);
		for (const event of deviceEvents) live.applyDevice(event);
		loaded.value = true;
		generation.value += 1;
		cursor = state.cursor;
		connection().follow(id, () => cursor);
	};

	const load = async (id: string) => {
		retry.cancel();
		request?.abort();
		const current = new AbortController();
		request = current;
		deviceEvents = [];
		try {
			const state = await getBuildingState(id, current.signal);
			if (current.signal.aborted) return;
			if (Date.now() - loadedAt > SNAPSHOT_INTERVAL_MS) retry.reset();
			applySnapshot(id, state);
		} catch (reason) {
			if (current.signal.aborted) return;
			error.value = reason;
			retry.schedule(() => void load(id));
		}
	};

	watch(
		() => building.value?.id,
		(id, _previous, onCleanup) => {
			live.reset(building.value?.rooms ?? []);
			recentIds = new RecentIds(MAX_RECENT_IDS);
			cursor = undefined;
			retry.reset();
			loaded.value = false;
			error.value = undefined;
			if (id !== undefined) void load(id);
			onCleanup(() => {
				retry.cancel();
				request?.abort();
				batch.drop();
				connection().unfollow();
			});
		},
		{ immediate: true },
	);

	return {
		rooms: live.rooms,
		error,
		loaded,
		generation,
		/** Handles the service's `telemetry` event. */
		onTelemetry(readings: readonly ReadingWithCursor[]): void {
			const ofBuilding = readings.filter((reading) => reading.buildingId === building.value?.id);
			const last = ofBuilding.at(-1);
			if (last) cursor = last.cursor;
			batch.add(ofBuilding.filter((reading) => recentIds.add(reading.id)));
		},
		/** Handles the service's `device` event. */
		onDevice(event: DeviceEvent): void {
			if (deviceEvents.length < MAX_DEVICE_EVENTS) deviceEvents.push(event);
			batch.flush();
			live.applyDevice(event);
		},
		/** Handles the service's `superseded` event: readings were left out, so a new snapshot is loaded. */
		onSuperseded(buildingId: string): void {
			if (buildingId !== building.value?.id) return;
			if (Date.now() - loadedAt > SNAPSHOT_INTERVAL_MS) void load(buildingId);
			else retry.schedule(() => void load(buildingId));
		},
	};
}
