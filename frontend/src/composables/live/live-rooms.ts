import {
	type BuildingState,
	type DeviceEvent,
	isCurrent,
	type Reading,
	type Room,
	type RoomCombine,
} from '@crowdvision/contracts';
import { type ShallowRef, shallowRef } from 'vue';
import { type TrendPoint, withPoint } from '../../lib/history/trend.ts';
import {
	applyDevice,
	applyReadings,
	applySnapshot,
	type BuildingSamples,
	combine,
	emptySamples,
	type RoomSamples,
} from '../../lib/live/samples.ts';
import { serviceNow } from '../../lib/requests/service-clock.ts';

/** One room of the building on display. Each value has a ref of its own, so a reading re-renders one card only. */
export interface LiveRoom {
	samples: ShallowRef<RoomSamples>;
	/** People counts since the page was opened; earlier ones come from the history. */
	people: ShallowRef<readonly TrendPoint[]>;
}

/** The latest values of every room of one building, as refs. */
export class LiveRooms {
	/** By room id, in the building's order. */
	readonly rooms = shallowRef<ReadonlyMap<string, LiveRoom>>(new Map());
	#samples: BuildingSamples = new Map();
	#combine = new Map<string, RoomCombine | undefined>();

	/** Starts again with these rooms, without any value. */
	reset(rooms: readonly Pick<Room, 'id' | 'combine'>[]): void {
		const roomIds = rooms.map(({ id }) => id);
		this.#combine = new Map(rooms.map(({ id, combine }) => [id, combine]));
		this.#samples = emptySamples(roomIds);
		this.rooms.value = new Map(
			roomIds.map((id) => [
				id,
				{ samples: shallowRef<RoomSamples>({}), people: shallowRef<readonly TrendPoint[]>([]) },
			]),
		);
	}

	applySnapshot(state: BuildingState): void {
		this.#update(applySnapshot(this.#samples, state), false);
	}

	/** Applies readings in the given order; those of other rooms are ignored. */
	applyReadings(readings: readonly Reading[]): void {
		this.#update(applyReadings(this.#samples, readings), true);
	}

	applyDevice(event: DeviceEvent): void {
		this.#update(applyDevice(this.#samples, event), false);
	}

	/** Updates the refs of the changed rooms, and adds a new people count to the room's trend if `addPoint` is set. */
	#update(changed: ReadonlySet<string>, addPoint: boolean): void {
		const now = serviceNow();
		for (const id of changed) {
			const room = this.rooms.value.get(id);
			const latest = this.#samples.get(id);
			if (!room || !latest) continue;
			const previousCount = room.samples.value.peopleCount;
			room.samples.value = latest;
			if (!addPoint || latest.peopleCount === previousCount) continue;
			const people = combine('peopleCount', latest.peopleCount, now, undefined, this.#combine.get(id));
			if (!people || !isCurrent(people.freshness)) continue;
			const { observedAt: at, value, freshUntil: until } = people;
			room.people.value = withPoint(room.people.value, { at, value, until }, now);
		}
	}
}
