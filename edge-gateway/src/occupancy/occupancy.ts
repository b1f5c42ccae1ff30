import type { Interval } from '@crowdvision/contracts';
import type { AuditTrail, RecordOf } from './audit-trail.ts';
import { Doors } from './doors.ts';
import { type Change, type Effect, MOST_ROOMS, newRoomCount, type RoomCount, step } from './room-count.ts';

/** A change that is on its way to the disk. */
interface Pending {
	change: Change;
	stored: boolean;
}

interface Room {
	/** What is on disk; undefined before anything is. */
	settled: RoomCount | undefined;
	/** With all that is on its way; undefined when it has to be made anew of the others. */
	current: RoomCount | undefined;
	/** In the order they came in. */
	pending: Set<Pending>;
}

/** A change that counts already. Call one of the two, once. */
export interface Applied extends Effect {
	stored(): void;
	undo(): void;
}

/** Forgotten together, so that not each new room looks for one. */
const FORGOTTEN_AT_ONCE = MOST_ROOMS / 10;

/**
 * How many people are in each room, made of what all its doors say, and how far that may have drifted. A change counts
 * at once, for the next reading must build on it; when it could not be stored it is as if it had never been, whatever
 * came after it. Who restores and saves this is OccupancyFile. Bounded: for a new room beyond ten thousand, others are
 * forgotten, and counted from none when they are heard again.
 */
export class Occupancy {
	readonly doors: Doors;
	readonly #trail: AuditTrail | undefined;
	readonly #rooms = new Map<string, Room>();

	/** What is stored is noted in `trail`. */
	constructor(doors = new Doors(), trail?: AuditTrail) {
		this.doors = doors;
		this.#trail = trail;
	}

	/** Undefined for a room of which no door was ever heard: that is not 0. Not to be changed. */
	room(buildingId: string, roomId: string): Readonly<RoomCount> | undefined {
		const room = this.#rooms.get(key(buildingId, roomId));
		return room && (room.settled || room.pending.size > 0) ? this.#current(room) : undefined;
	}

	count(buildingId: string, roomId: string): number | undefined {
		return this.room(buildingId, roomId)?.count;
	}

	/** Every room that is counted. */
	rooms(): { buildingId: string; roomId: string }[] {
		return [...this.#rooms.keys()].map((place) => {
			const slash = place.indexOf('/');
			return { buildingId: place.slice(0, slash), roomId: place.slice(slash + 1) };
		});
	}

	/** `record`: where the change will stand in the log, and when it came in. */
	apply(buildingId: string, roomId: string, change: Change, record: RecordOf): Applied {
		const room = this.#roomAt(key(buildingId, roomId));
		if (!room.settled && room.pending.size === 0) room.current = newRoomCount(change.at);
		const current = this.#current(room);
		const entry: Pending = { change, stored: false };
		room.pending.add(entry);
		const effect = step(current, change, this.doors.limits);
		return {
			...effect,
			stored: () => {
				entry.stored = true;
				this.#settle(room);
				this.#trail?.note(buildingId, roomId, change, effect, record);
			},
			undo: () => {
				room.pending.delete(entry);
				room.current = undefined;
				this.#settle(room);
			},
		};
	}

	/** A change that is on disk, read again. */
	restore(buildingId: string, roomId: string, change: Change, record: RecordOf): void {
		const room = this.#roomAt(key(buildingId, roomId));
		room.current = undefined;
		room.settled ??= newRoomCount(change.at);
		const effect = step(room.settled, change, this.doors.limits);
		this.#trail?.note(buildingId, roomId, change, effect, record);
	}

	/** A room of which nothing is left but what a reading said of it. */
	begin(
		buildingId: string,
		roomId: string,
		{ at, count, interval }: { at: number; count: number; interval: Interval | undefined },
	): void {
		const room = this.#roomAt(key(buildingId, roomId));
		room.current = undefined;
		room.settled = { ...newRoomCount(at, Math.max(0, count), interval), crossedAt: at };
	}

	/** Every room as it is with all that is on its way: true once that is on disk. */
	export(): Record<string, RoomCount> {
		return Object.fromEntries(
			[...this.#rooms]
				.filter(([, { settled, pending }]) => settled || pending.size > 0)
				.map(([at, room]) => [at, this.#current(room)]),
		);
	}

	import(rooms: Readonly<Record<string, RoomCount>>): void {
		for (const [at, settled] of Object.entries(rooms))
			this.#rooms.set(at, { settled, current: undefined, pending: new Set() });
	}

	#roomAt(at: string): Room {
		let room = this.#rooms.get(at);
		if (!room) {
			if (this.#rooms.size >= MOST_ROOMS) this.#forgetSome();
			room = { settled: undefined, current: undefined, pending: new Set() };
			this.#rooms.set(at, room);
		}
		return room;
	}

	/**
	 * Empty rooms first, as they lose nothing; then those of the building that names the most; of these, those that
	 * nobody crossed into for the longest.
	 */
	#forgetSome(): void {
		const ofBuilding = new Map<string, number>();
		const rooms = [...this.#rooms].map(([at, { settled, pending }]) => {
			const building = at.slice(0, at.indexOf('/'));
			ofBuilding.set(building, (ofBuilding.get(building) ?? 0) + 1);
			return {
				at,
				building,
				count: settled?.count ?? 0,
				heardAt: Math.max(settled?.crossedAt ?? 0, settled?.known.at ?? 0),
				pending,
			};
		});
		const order = rooms
			.filter(({ pending }) => pending.size === 0)
			.sort(
				(a, b) =>
					Number(a.count > 0) - Number(b.count > 0) ||
					ofBuilding.get(b.building)! - ofBuilding.get(a.building)! ||
					a.heardAt - b.heardAt,
			);
		for (const { at } of order.slice(0, FORGOTTEN_AT_ONCE)) this.#rooms.delete(at);
	}

	#current(room: Room): RoomCount {
		if (room.current) return room.current;
		const current = room.settled ? structuredClone(room.settled) : newRoomCount(begunAt(room));
		for (const { change } of room.pending) step(current, change, this.doors.limits);
		room.current = current;
		return current;
	}

	/** Takes into what is on disk what is on disk, in order. */
	#settle(room: Room): void {
		for (const entry of room.pending) {
			if (!entry.stored) return;
			room.settled ??= newRoomCount(begunAt(room));
			step(room.settled, entry.change, this.doors.limits);
			room.pending.delete(entry);
		}
	}
}

/** When the first thing was heard of a room. */
function begunAt({ pending }: Room): number {
	const [first] = pending;
	return first?.change.at ?? 0;
}

/** No place id holds a slash. */
function key(buildingId: string, roomId: string): string {
	return `${buildingId}/${roomId}`;
}
