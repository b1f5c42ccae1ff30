import {
	type BuildingState,
	type BuildingSummary,
	type DeviceEvent,
	isCurrent,
	type ReadingWithCursor,
} from '@crowdvision/contracts';
import { type Ref, type ShallowRef, shallowRef, watch } from 'vue';
import { getBuildingState } from '../../api/endpoints.ts';
import type { LiveConnection } from '../../api/live.ts';
import { type TrendPoint, withPoint } from '../../lib/history/trend.ts';
import { FrameBatch } from '../../lib/live/frame-batch.ts';
import { Seen } from '../../lib/live/recent-ids.ts';
import {
	applyDevice,
	applyReadings,
	applySnapshot,
	type BuildingSamples,
	combine,
	noSamples,
	type RoomSamples,
} from '../../lib/live/samples.ts';
import { serviceNow } from '../../lib/requests/service-clock.ts';

/** One room of the building on display. Each is its own ref, so that a reading re-renders one card and no other. */
export interface LiveRoom {
	samples: ShallowRef<RoomSamples>;
	/** People since the page was opened; the past comes from history. */
	people: ShallowRef<readonly TrendPoint[]>;
}

const FIRST_WAIT_MS = 1000;
const MOST_WAIT_MS = 30_000;
/**
 * A snapshot sooner than this after the last one was asked for by a service that cannot keep up: wait longer each time.
 */
const CALM_MS = 30_000;
const MOST_SEEN = 5000;
/** Devices that came or went while a snapshot is on its way. */
const MOST_TOLD = 1000;

/**
 * The latest of every room of `building`: snapshot, then everything after its cursor. `follow` is told what to resume
 * from. Readings are applied in order, once per animation frame.
 */
export function useLiveBuilding(building: Ref<BuildingSummary | undefined>, connection: () => LiveConnection) {
	const rooms = shallowRef<ReadonlyMap<string, LiveRoom>>(new Map());
	/** Why there is no snapshot yet, while it is asked for again. */
	const trouble = shallowRef<unknown>();
	const loaded = shallowRef(false);
	/** Rises with each snapshot taken: what was read from history before it may have holes. */
	const generation = shallowRef(0);

	let samples: BuildingSamples = new Map();
	let seen = new Seen(MOST_SEEN);
	let cursor: string | undefined;
	let told: DeviceEvent[] = [];
	let loading: AbortController | undefined;
	let timer: ReturnType<typeof setTimeout> | undefined;
	let failures = 0;
	let takenAt = Number.NEGATIVE_INFINITY;

	const show = (changed: Set<string>, keepPoint: boolean) => {
		const now = serviceNow();
		for (const id of changed) {
			const room = rooms.value.get(id);
			const latest = samples.get(id);
			if (!room || !latest) continue;
			const former = room.samples.value.peopleCount;
			room.samples.value = latest;
			if (!keepPoint || latest.peopleCount === former) continue;
			const people = combine('peopleCount', latest.peopleCount, now);
			if (people && isCurrent(people.freshness))
				room.people.value = withPoint(room.people.value, { at: people.observedAt, value: people.value }, now);
		}
	};

	const batch = new FrameBatch<ReadingWithCursor>((readings) => show(applyReadings(samples, readings), true));

	const take = (id: string, state: BuildingState) => {
		takenAt = Date.now();
		trouble.value = undefined;
		batch.flush();
		show(applySnapshot(samples, state), false);
		for (const event of told) show(applyDevice(samples, event), false);
		loaded.value = true;
		generation.value += 1;
		cursor = state.cursor;
		connection().follow(id, () => cursor);
	};

	const load = async (id: string) => {
		clearTimeout(timer);
		loading?.abort();
		const mine = new AbortController();
		loading = mine;
		told = [];
		try {
			const state = await getBuildingState(id, mine.signal);
			if (mine.signal.aborted) return;
			if (Date.now() - takenAt > CALM_MS) failures = 0;
			take(id, state);
		} catch (error) {
			if (mine.signal.aborted) return;
			trouble.value = error;
			loadLater(id);
		}
	};

	const loadLater = (id: string) => {
		clearTimeout(timer);
		const ceiling = Math.min(MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 10));
		failures += 1;
		timer = setTimeout(() => void load(id), ceiling / 2 + (Math.random() * ceiling) / 2);
	};

	watch(
		() => building.value?.id,
		(id, _former, onCleanup) => {
			const ids = building.value?.rooms.map((room) => room.id) ?? [];
			samples = noSamples(ids);
			seen = new Seen(MOST_SEEN);
			cursor = undefined;
			failures = 0;
			loaded.value = false;
			trouble.value = undefined;
			rooms.value = new Map(
				ids.map((roomId) => [
					roomId,
					{ samples: shallowRef<RoomSamples>({}), people: shallowRef<readonly TrendPoint[]>([]) },
				]),
			);
			if (id !== undefined) void load(id);
			onCleanup(() => {
				clearTimeout(timer);
				loading?.abort();
				batch.drop();
				connection().unfollow();
			});
		},
		{ immediate: true },
	);

	return {
		rooms,
		trouble,
		loaded,
		generation,
		/** The service's `telemetry` event. */
		take(readings: readonly ReadingWithCursor[]): void {
			const mine = readings.filter((reading) => reading.buildingId === building.value?.id);
			const last = mine.at(-1);
			if (last) cursor = last.cursor;
			batch.add(mine.filter((reading) => seen.add(reading.id)));
		},
		/** The service's `device` event. */
		heardOf(event: DeviceEvent): void {
			if (told.length < MOST_TOLD) told.push(event);
			batch.flush();
			show(applyDevice(samples, event), false);
		},
		/** The service's `superseded` event: something was left out, so the snapshot is taken again. */
		superseded(buildingId: string): void {
			if (buildingId !== building.value?.id) return;
			if (Date.now() - takenAt > CALM_MS) void load(buildingId);
			else loadLater(buildingId);
		},
	};
}
