/** Simulates people and air in the rooms of a building. */
import { hash, randomAt } from '../random.ts';
import {
	crossingsTo,
	type RoomState,
	type RoomTraits,
	roomTraits,
	type Surroundings,
	steadyRoom,
	stepRoom,
} from './room.ts';

export interface BuildingPlan {
	id: string;
	rooms: readonly { id: string; capacity: number }[];
}

const TICK_MS = 5_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Longer than every time constant of a room, so that its initial state no longer shows. */
const WARM_UP_TICKS = (6 * HOUR_MS) / TICK_MS;
/** The most ticks simulated at once; of a longer pause only the end is simulated. */
const MAX_TICKS = (48 * HOUR_MS) / TICK_MS;

/**
 * The rooms of a building, simulated in steps of five seconds. The state of a room depends on the seed and the time
 * only, not on how often it is read.
 */
export class SimulatedBuilding {
	readonly id: string;
	readonly #traits: Map<string, RoomTraits>;
	readonly #states = new Map<string, RoomState>();
	readonly #fixedCounts = new Map<string, number>();
	readonly #weather: number;
	readonly #utcOffsetMs: number;
	#tick: number | undefined;
	/** Added to the time after the clock was set back: the simulation never goes backwards. */
	#shiftMs = 0;

	/** @param utcOffsetMinutes UTC offset of the building's local time */
	constructor(plan: BuildingPlan, seed: number, utcOffsetMinutes = 0) {
		this.id = plan.id;
		this.#traits = new Map(plan.rooms.map((room) => [room.id, roomTraits(room, seed)]));
		this.#weather = (hash(seed, 'weather') / 2 ** 32) * 2 * Math.PI;
		this.#utcOffsetMs = utcOffsetMinutes * 60_000;
	}

	/**
	 * The state of a room at `now` (epoch ms).
	 * @throws RangeError for a room the building does not have
	 */
	room(roomId: string, now: number): Readonly<RoomState> {
		this.#advance(now);
		return this.#state(roomId);
	}

	/**
	 * From `now` on exactly `count` people are in the room, also beyond its capacity; they come or go through its doors
	 * at once. With `undefined` the room follows the time of day again.
	 * @throws RangeError for a room the building does not have, or a count that is not a whole number from 0
	 */
	crowd(roomId: string, count: number | undefined, now: number): void {
		this.#advance(now);
		const state = this.#state(roomId);
		if (count === undefined) {
			this.#fixedCounts.delete(roomId);
			return;
		}
		if (!Number.isSafeInteger(count) || count < 0)
			throw new RangeError(`the people in a room must be a whole number from 0, not ${count}`);
		this.#fixedCounts.set(roomId, count);
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
			throw new RangeError(`${this.id} has no room "${roomId}"; its rooms are ${[...this.#traits.keys()].join(', ')}`);
		return state;
	}

	#advance(now: number): void {
		let to = Math.floor((now + this.#shiftMs) / TICK_MS);
		if (this.#tick === undefined) {
			this.#tick = to - WARM_UP_TICKS;
			const surroundings = this.#surroundings(this.#tick);
			for (const [id, traits] of this.#traits) this.#states.set(id, steadyRoom(traits, surroundings));
		}
		if (to < this.#tick) {
			this.#shiftMs += (this.#tick - to) * TICK_MS;
			to = this.#tick;
		}
		for (let tick = Math.max(this.#tick, to - MAX_TICKS) + 1; tick <= to; tick++) {
			const surroundings = this.#surroundings(tick);
			for (const [id, traits] of this.#traits) {
				const next = stepRoom(
					traits,
					this.#states.get(id) as RoomState,
					surroundings,
					TICK_MS / HOUR_MS,
					randomAt(traits.base, tick),
					this.#fixedCounts.get(id),
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
