/** Counts the people in each room, with changes that can be undone until they are stored. */
import type { Interval, Proposal } from '@crowdvision/contracts';
import type { AuditTrail, ChangeRecord } from './audit-trail.ts';
import { Doors } from './doors.ts';
import { turnedRound } from './orientation.ts';
import {
	type Change,
	type DoorLimits,
	type Effect,
	MAX_ROOMS,
	newRoomCount,
	type RoomCount,
	step,
} from './room-count.ts';

/** A change that is not yet on disk. */
interface Pending {
	change: Change;
	/** It is on disk, but a change before it is not. */
	isStored: boolean;
}

interface Room {
	/** The state on disk; undefined before the first change is. */
	stored: RoomCount | undefined;
	/** The state with all pending changes; undefined when it must be computed again from the other two. */
	current: RoomCount | undefined;
	/** In the order of arrival. */
	pending: Set<Pending>;
	/** Of its doors, by sensor id. */
	readonly limits: (door: string) => DoorLimits;
}

/** An applied change. The caller must call either `stored` or `undo`, once. */
export interface Applied extends Effect {
	/** The change is on disk. */
	stored(): void;
	/** The change could not be stored. */
	undo(): void;
}

/** How many rooms are forgotten at a time, so that not each new room has to search for one. */
const FORGET_COUNT = MAX_ROOMS / 10;

/**
 * Counts the people in each room, named by its `generationKey`, from the readings of its doors, with the likely range
 * of the true number. A change takes effect at once, as the next reading builds on it; if it cannot be stored it is
 * undone, whatever came after it.
 * `OccupancyFile` restores and saves the rooms. Bounded: above ten thousand rooms others are forgotten, and are counted
 * from 0 when their doors send again.
 */
export class Occupancy {
	readonly doors: Doors;
	readonly #trail: AuditTrail | undefined;
	readonly #isOver: (buildingId: string, roomId: string) => boolean;
	readonly #rooms = new Map<string, Room>();

	/**
	 * @param trail stored changes are recorded in it
	 * @param isOver whether a room, named as here, is one that was removed
	 */
	constructor(
		doors = new Doors(),
		trail?: AuditTrail,
		isOver: (buildingId: string, roomId: string) => boolean = () => false,
	) {
		this.doors = doors;
		this.#trail = trail;
		this.#isOver = isOver;
	}

	/** The state of a room, not to be modified; undefined if no door of it has ever sent, which does not mean 0. */
	room(buildingId: string, roomId: string): Readonly<RoomCount> | undefined {
		const room = this.#rooms.get(key(buildingId, roomId));
		return room && (room.stored || room.pending.size > 0) ? this.#current(room) : undefined;
	}

	/** People in a room; undefined if no door of it has ever sent. */
	count(buildingId: string, roomId: string): number | undefined {
		return this.room(buildingId, roomId)?.count;
	}

	/** What the readings of a room's doors suggest to configure. */
	proposals(buildingId: string, roomId: string): Proposal[] {
		const { orientation } = this.room(buildingId, roomId) ?? {};
		return orientation ? turnedRound(orientation).map((sensorId) => proposalToTurn(sensorId, buildingId)) : [];
	}

	/** All rooms that are counted. */
	rooms(): { buildingId: string; roomId: string }[] {
		return [...this.#rooms.keys()].map(placeIn).filter(({ buildingId, roomId }) => !this.#isOver(buildingId, roomId));
	}

	/** Applies a change. `record` names its place in the log and its origin. */
	apply(buildingId: string, roomId: string, change: Change, record: ChangeRecord): Applied {
		const room = this.#roomAt(key(buildingId, roomId));
		if (!room.stored && room.pending.size === 0) room.current = newRoomCount(change.at);
		const current = this.#current(room);
		const entry: Pending = { change, isStored: false };
		room.pending.add(entry);
		const effect = step(current, change, room.limits);
		return {
			...effect,
			stored: () => {
				entry.isStored = true;
				this.#applyStored(room);
				this.#trail?.record(buildingId, roomId, change, effect, record);
			},
			undo: () => {
				room.pending.delete(entry);
				room.current = undefined;
				this.#applyStored(room);
			},
		};
	}

	/** Applies a change that is read from disk. */
	restore(buildingId: string, roomId: string, change: Change, record: ChangeRecord): void {
		const room = this.#roomAt(key(buildingId, roomId));
		room.current = undefined;
		room.stored ??= newRoomCount(change.at);
		const effect = step(room.stored, change, room.limits);
		this.#trail?.record(buildingId, roomId, change, effect, record);
	}

	/** Starts counting a room from a reading, if that is all that is left of it. */
	startFrom(
		buildingId: string,
		roomId: string,
		{ at, count, interval }: { at: number; count: number; interval: Interval | undefined },
	): void {
		const room = this.#roomAt(key(buildingId, roomId));
		room.current = undefined;
		room.stored = { ...newRoomCount(at, Math.max(0, count), interval), crossedAt: at };
	}

	/** The state of all rooms with all pending changes, which is right once these are on disk. Forgets removed rooms. */
	export(): Record<string, RoomCount> {
		for (const [at, { pending }] of this.#rooms) {
			const { buildingId, roomId } = placeIn(at);
			if (pending.size === 0 && this.#isOver(buildingId, roomId)) this.#rooms.delete(at);
		}
		return Object.fromEntries(
			[...this.#rooms]
				.filter(([, { stored, pending }]) => stored || pending.size > 0)
				.map(([at, room]) => [at, this.#current(room)]),
		);
	}

	/** Takes over rooms from a checkpoint. */
	import(rooms: Readonly<Record<string, RoomCount>>): void {
		for (const [at, stored] of Object.entries(rooms)) this.#rooms.set(at, this.#newRoom(at, stored));
	}

	#roomAt(at: string): Room {
		let room = this.#rooms.get(at);
		if (!room) {
			if (this.#rooms.size >= MAX_ROOMS) this.#forgetSome();
			room = this.#newRoom(at);
			this.#rooms.set(at, room);
		}
		return room;
	}

	#newRoom(at: string, stored?: RoomCount): Room {
		const limits = this.doors.limitsIn(placeIn(at).buildingId);
		return { stored, current: undefined, pending: new Set(), limits };
	}

	/**
	 * Forgets empty rooms first, as they lose nothing; then rooms of the building with the most rooms, the ones without
	 * crossings for longest first.
	 */
	#forgetSome(): void {
		const ofBuilding = new Map<string, number>();
		const rooms = [...this.#rooms].map(([at, { stored, pending }]) => {
			const building = at.slice(0, at.indexOf('/'));
			ofBuilding.set(building, (ofBuilding.get(building) ?? 0) + 1);
			return {
				at,
				building,
				count: stored?.count ?? 0,
				changedAt: Math.max(stored?.crossedAt ?? 0, stored?.known.at ?? 0),
				pending,
			};
		});
		const order = rooms
			.filter(({ pending }) => pending.size === 0)
			.sort(
				(a, b) =>
					Number(a.count > 0) - Number(b.count > 0) ||
					ofBuilding.get(b.building)! - ofBuilding.get(a.building)! ||
					a.changedAt - b.changedAt,
			);
		for (const { at } of order.slice(0, FORGET_COUNT)) this.#rooms.delete(at);
	}

	#current(room: Room): RoomCount {
		if (room.current) return room.current;
		const current = room.stored ? structuredClone(room.stored) : newRoomCount(startOf(room));
		for (const { change } of room.pending) step(current, change, room.limits);
		room.current = current;
		return current;
	}

	/** Moves changes that are on disk from the pending ones into the stored state, in order. */
	#applyStored(room: Room): void {
		for (const entry of room.pending) {
			if (!entry.isStored) return;
			room.stored ??= newRoomCount(startOf(room));
			step(room.stored, entry.change, room.limits);
			room.pending.delete(entry);
		}
	}
}

/** The time of a room's first pending change. */
function startOf({ pending }: Room): number {
	const [first] = pending;
	return first?.change.at ?? 0;
}

/** The key of a room; place ids hold no slash. */
function key(buildingId: string, roomId: string): string {
	return `${buildingId}/${roomId}`;
}

function proposalToTurn(sensorId: string, buildingId: string): Proposal {
	const door = `sensorId: ${JSON.stringify(sensorId)}, buildingId: ${JSON.stringify(buildingId)}`;
	return {
		kind: 'swapped',
		sensorId,
		text:
			`The door "${sensorId}" seems to be mounted the wrong way round: as it counts, the room is fullest when nobody ` +
			'has crossed for hours, and with its ins and outs exchanged it is emptiest then.',
		configuration: `occupancy:\n  doors:\n    - {${door}, swapped: true}\n`,
	};
}

/** The other way round of `key`. */
function placeIn(key: string): { buildingId: string; roomId: string } {
	const slash = key.indexOf('/');
	return { buildingId: key.slice(0, slash), roomId: key.slice(slash + 1) };
}
