import { hash, randomAt } from '../random.ts';
import {
	crossingsTo,
	type RoomNature,
	type RoomState,
	roomNature,
	type Surroundings,
	settledRoom,
	stepRoom,
} from './room.ts';

export interface BuildingPlan {
	id: string;
	rooms: readonly { id: string; capacity: number }[];
}

const TICK_MS = 5_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Longer than any inertia in a room, so that how it began no longer shows. */
const WARM_UP_TICKS = (6 * HOUR_MS) / TICK_MS;
/** Most that is lived through at once; of a longer sleep, only its end. */
const MOST_TICKS = (48 * HOUR_MS) / TICK_MS;

/**
 * The rooms of a building, moving in steps of five seconds. What a room is like depends on the seed and the time, and
 * on nothing else: neither on how often one asks nor on chance.
 */
export class SimulatedBuilding {
	readonly id: string;
	readonly #natures: Map<string, RoomNature>;
	readonly #states = new Map<string, RoomState>();
	readonly #held = new Map<string, number>();
	readonly #weather: number;
	readonly #utcOffsetMs: number;
	#tick: number | undefined;
	/** Added to a clock that was set back, because people do not live backwards. */
	#shiftMs = 0;

	/** @param utcOffsetMinutes what the building's own wall clocks show, against UTC */
	constructor(plan: BuildingPlan, seed: number, utcOffsetMinutes = 0) {
		this.id = plan.id;
		this.#natures = new Map(plan.rooms.map((room) => [room.id, roomNature(room, seed)]));
		this.#weather = (hash(seed, 'weather') / 2 ** 32) * 2 * Math.PI;
		this.#utcOffsetMs = utcOffsetMinutes * 60_000;
	}

	/**
	 * The room at `now` (epoch ms).
	 * @throws RangeError for a room the building does not have
	 */
	room(roomId: string, now: number): Readonly<RoomState> {
		this.#advance(now);
		return this.#state(roomId);
	}

	/**
	 * From now on exactly `count` people are in the room, however few fit; they come or go through its doors at once.
	 * `undefined` lets them follow the day again.
	 * @throws RangeError for a room the building does not have, or a count that is not a whole number from 0 up
	 */
	crowd(roomId: string, count: number | undefined, now: number): void {
		this.#advance(now);
		const state = this.#state(roomId);
		if (count === undefined) {
			this.#held.delete(roomId);
			return;
		}
		if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`a room holds 0 people or more, not ${count}`);
		this.#held.set(roomId, count);
		const { arrivals, departures } = crossingsTo(state.people, count);
		this.#states.set(roomId, {
			...state,
			people: count,
			entered: state.entered + arrivals,
			left: state.left + departures,
		});
	}

	#state(roomId: string): RoomState {
		const state = this.#states.get(roomId);
		if (!state)
			throw new RangeError(`no room "${roomId}" in ${this.id}; there are ${[...this.#natures.keys()].join(', ')}`);
		return state;
	}

	#advance(now: number): void {
		let to = Math.floor((now + this.#shiftMs) / TICK_MS);
		if (this.#tick === undefined) {
			this.#tick = to - WARM_UP_TICKS;
			const around = this.#surroundings(this.#tick);
			for (const [id, nature] of this.#natures) this.#states.set(id, settledRoom(nature, around));
		}
		if (to < this.#tick) {
			this.#shiftMs += (this.#tick - to) * TICK_MS;
			to = this.#tick;
		}
		for (let tick = Math.max(this.#tick, to - MOST_TICKS) + 1; tick <= to; tick++) {
			const around = this.#surroundings(tick);
			for (const [id, nature] of this.#natures) {
				const next = stepRoom(
					nature,
					this.#states.get(id) as RoomState,
					around,
					TICK_MS / HOUR_MS,
					randomAt(nature.base, tick),
					this.#held.get(id),
				);
				this.#states.set(id, next);
			}
		}
		this.#tick = to;
	}

	#surroundings(tick: number): Surroundings {
		const local = tick * TICK_MS + this.#utcOffsetMs;
		const day = Math.floor(local / DAY_MS);
		const hour = (local - day * DAY_MS) / HOUR_MS;
		const byDay = 5 * Math.cos((2 * Math.PI * (hour - 15)) / 24);
		const byWeek = 3 * Math.sin((2 * Math.PI * local) / (6.3 * DAY_MS) + this.#weather);
		return { day, hour, outside: 12 + byDay + byWeek };
	}
}
