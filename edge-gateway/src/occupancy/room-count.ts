/** The state of one room's count, and how a change alters it: a pure function. */
import { type Adjustment, type DoorEvent, type Interval, METRICS } from '@crowdvision/contracts';
import { type Baseline, type CounterLimits, countTotal, type Total } from './cumulative-counter.ts';
import {
	type DriftBelief,
	driftOver,
	type FlowTraffic,
	learn,
	noBelief,
	SPREADS,
	withoutFlows,
} from './drift-model.ts';
import { newOrientation, noteCrossing, noteRest, type Orientation } from './orientation.ts';
import { isRepeat, type Restated, type Said } from './repeats.ts';

/** Into the room or out of it. */
export type Direction = 'in' | 'out';

/** The limits of a door's counter, and how wrong its counts may be. */
export interface DoorLimits extends CounterLimits {
	/** Largest usual bias, as a share of what is counted. */
	bias: number;
	/** Share of crossings missed or counted twice by chance. */
	missRate: number;
}

/** What changes a room's count. Times are epoch ms. */
export type Change =
	/** Crossings of a door since its previous message. `known`: read again from the log, and not counted then. */
	| ({ kind: 'crossings'; door: string; direction: Direction } & Said & {
				restated?: Restated | undefined;
				known?: 'late' | 'repeat';
			})
	/** The total that a door has counted since it was switched on. */
	| ({ kind: 'total'; door: string; direction: Direction } & Total)
	/** The count becomes known: by zeroing, or by a person's correction. */
	| { kind: 'known'; why: Adjustment['kind']; count: number; at: number };

/** The effect of a change. */
export interface Effect {
	before: number;
	count: number;
	/** People who entered and left the room; both 0 if the count became known. */
	in: number;
	out: number;
	detected: DoorEvent | undefined;
	/** By how much the count would have fallen below 0. */
	clamped: number;
	interval: Interval;
	/** The door that is found to be mounted the wrong way round, with this change. */
	seemsSwapped?: string | undefined;
}

/**
 * The state of one room's count. Plain data, as it is stored in the checkpoint under these names. Only `step` changes
 * it.
 */
export interface RoomCount {
	count: number;
	/**
	 * The count when it was last known, and since when. `begun`: it was only assumed at the start. `spread`: the standard
	 * deviation of its error at that time.
	 */
	known: { count: number; at: number; why: 'begun' | Adjustment['kind']; spread: number };
	/** Ins minus outs since then, without the bound at 0 that the count has. */
	net: number;
	/** Crossings since then, by flow (a door and a direction). */
	traffic: Record<string, number>;
	/** By flow, for doors with cumulative counters. */
	totals: Record<string, Baseline>;
	/** By flow, the last message that had a time or a `seq` of its own; bounded. */
	said?: Record<string, Said>;
	/** How many people below and above the count the truth may be because of what doors left open since it was known. */
	doubt?: { low: number; high: number };
	/** Which way round its doors are mounted. */
	orientation?: Orientation;
	belief: DriftBelief;
	/** When somebody last crossed a door, epoch ms; 0: never. */
	crossedAt: number;
	interval: Interval;
}

/**
 * When people crossed. A device's clock may be ahead, but what it reports has happened by the time of receipt.
 * @returns `isTimed`: whether the device stated the time
 */
export function crossedAt({ observedAt }: { observedAt: number }, receivedAt: number): Pick<Said, 'at' | 'isTimed'> {
	return { at: Math.min(observedAt, receivedAt), isTimed: observedAt !== receivedAt };
}

/** When a device started, by its uptime in seconds; epoch ms. */
export function startedAt(receivedAt: number, uptime: number | undefined): number | undefined {
	return uptime === undefined ? undefined : receivedAt - uptime * 1000;
}

/** Most rooms that are counted. Without a bound a device could name new rooms for ever. */
export const MAX_ROOMS = 10_000;

/** Flows of which the last message is kept. */
const MAX_SAID = 128;
/** Flows beyond this number share one entry, so that the state of a room is bounded. */
const MAX_FLOWS = 64;
const OTHER_DOORS = '*';
const MAX_PEOPLE = METRICS.peopleCount.max;

/**
 * The state of a room whose counting starts at `at` (epoch ms): with nobody in it, or with the count and interval that
 * its last reading named.
 */
export function newRoomCount(at: number, count = 0, interval: Interval = { low: count, high: count }): RoomCount {
	return {
		count,
		known: { count, at, why: 'begun', spread: (interval.high - interval.low) / (2 * SPREADS) },
		net: 0,
		traffic: {},
		totals: {},
		belief: noBelief(),
		crossedAt: 0,
		interval,
	};
}

/**
 * Applies a change to `room`. Depends only on its arguments, so that replaying the changes after a crash gives the
 * same.
 */
export function step(room: RoomCount, change: Change, limitsOf: (door: string) => DoorLimits): Effect {
	return change.kind === 'known' ? setKnown(room, change, limitsOf) : cross(room, change, limitsOf);
}

function cross(
	room: RoomCount,
	change: Exclude<Change, { kind: 'known' }>,
	limitsOf: (door: string) => DoorLimits,
): Effect {
	const { door, direction, at } = change;
	const before = room.count;
	const { crossed, detected } =
		change.kind === 'total' ? crossedByTotal(room, change, limitsOf(door)) : crossedSince(room, change);
	const signed = direction === 'in' ? crossed : -crossed;
	const sum = before + signed;
	let seemsSwapped: string | undefined;
	room.count = Math.min(MAX_PEOPLE, Math.max(0, sum));
	if (crossed > 0) {
		room.net += signed;
		const flow = flowOf(room, door, direction);
		room.traffic[flow] = (room.traffic[flow] ?? 0) + crossed;
		room.crossedAt = Math.max(room.crossedAt, at);
		room.orientation ??= newOrientation();
		seemsSwapped = noteCrossing(room.orientation, door, signed, at);
	}
	room.interval = intervalOf(room, limitsOf);
	const [entered, left] = direction === 'in' ? [crossed, 0] : [0, crossed];
	return {
		before,
		count: room.count,
		in: entered,
		out: left,
		detected,
		clamped: Math.max(0, -sum),
		interval: room.interval,
		...(seemsSwapped !== undefined && { seemsSwapped }),
	};
}

interface Crossed {
	crossed: number;
	detected: DoorEvent | undefined;
}

/** Crossings of a door that counts from its start. */
function crossedByTotal(room: RoomCount, change: Extract<Change, { kind: 'total' }>, limits: CounterLimits): Crossed {
	const { kind: _kind, door, direction, ...told } = change;
	const flow = `${door} ${direction}`;
	const { count, detected, more = 0, fewer = 0, baseline } = countTotal(room.totals[flow], told, limits);
	room.totals[flow] = baseline;
	if (more > 0 || fewer > 0) {
		const { low, high } = room.doubt ?? { low: 0, high: 0 };
		const [below, above] = direction === 'in' ? [fewer, more] : [more, fewer];
		room.doubt = { low: low + below, high: high + above };
	}
	return { crossed: count, detected };
}

/** Crossings of a door since its last message. */
function crossedSince(room: RoomCount, change: Extract<Change, { kind: 'crossings' }>): Crossed {
	const { door, direction, count, at, isTimed, receivedAt, seq, boot, restated, known } = change;
	const flow = `${door} ${direction}`;
	const said: Said = {
		...{ count, at, isTimed, receivedAt },
		...(seq !== undefined && { seq }),
		...(boot !== undefined && { boot }),
	};
	if (known === 'repeat' || isRepeat(room.said?.[flow], said, restated)) return { crossed: 0, detected: 'repeat' };
	// A device that was cut off tells in the morning who went home before the room was zeroed.
	const late = room.known.why === 'zeroing' && count > 0 && at < room.known.at && receivedAt >= room.known.at;
	if (late || known === 'late') return { crossed: 0, detected: 'late' };
	// Nobody said again is nobody. A record of nobody does not tell in which direction, and must be replayed alike.
	if (count > 0 && (isTimed || seq !== undefined)) remember(room, flow, said);
	return { crossed: count, detected: undefined };
}

/** Keeps the last message of a flow; beyond the bound the one that was kept first is forgotten. */
function remember(room: RoomCount, flow: string, said: Said): void {
	room.said ??= {};
	const { said: all } = room;
	if (!(flow in all)) {
		const [first] = Object.keys(all);
		if (first !== undefined && Object.keys(all).length >= MAX_SAID) delete all[first];
	}
	all[flow] = said;
}

function setKnown(
	room: RoomCount,
	{ why, count, at }: Extract<Change, { kind: 'known' }>,
	limitsOf: (door: string) => DoorLimits,
): Effect {
	const before = room.count;
	// An assumed count says nothing about the error of the doors, nor does one that left something open.
	if (room.known.why !== 'begun' && !room.doubt)
		room.belief = learn(room.belief, trafficOf(room, limitsOf), room.known.count + room.net - count);
	// Doors change over the years: if there is no room for more, the flows without traffic are removed.
	const { legs } = room.belief;
	if (legs.length >= MAX_FLOWS)
		room.belief = withoutFlows(room.belief, new Set(legs.filter((flow) => !(flow in room.traffic))));
	room.count = count;
	room.known = { count, at, why, spread: 0 };
	room.net = 0;
	room.traffic = {};
	delete room.doubt;
	room.interval = { low: count, high: count };
	const isEmpty = why === 'zeroing' || count === 0;
	const seemsSwapped = isEmpty && room.orientation ? noteRest(room.orientation) : undefined;
	return {
		...{ before, count, in: 0, out: 0, detected: undefined, clamped: 0, interval: room.interval },
		...(seemsSwapped !== undefined && { seemsSwapped }),
	};
}

/** The likely range of the true count, in whole people. It always contains the count, as both are shown together. */
function intervalOf(room: RoomCount, limitsOf: (door: string) => DoorLimits): Interval {
	const { mean, spread } = driftOver(room.belief, trafficOf(room, limitsOf));
	const middle = room.known.count + room.net - mean;
	const half = SPREADS * Math.hypot(spread, room.known.spread);
	const { doubt = { low: 0, high: 0 } } = room;
	const low = Math.max(0, Math.floor(middle - half) - doubt.low);
	const high = Math.min(MAX_PEOPLE, Math.ceil(middle + half) + doubt.high);
	return { low: Math.min(low, room.count), high: Math.max(high, room.count) };
}

function trafficOf(room: RoomCount, limitsOf: (door: string) => DoorLimits): FlowTraffic[] {
	return Object.entries(room.traffic).map(([flow, crossings]) => {
		const space = flow.lastIndexOf(' ');
		const { bias, missRate } = limitsOf(flow.slice(0, space));
		return { flow, sign: flow.slice(space + 1) === 'in' ? 1 : -1, crossings, bias, missRate };
	});
}

/** The key of a door's flow, or the shared one if the room has too many. */
function flowOf(room: RoomCount, door: string, direction: Direction): string {
	const flow = `${door} ${direction}`;
	const { legs } = room.belief;
	if (flow in room.traffic || legs.includes(flow)) return flow;
	const known = legs.length + Object.keys(room.traffic).filter((one) => !legs.includes(one)).length;
	return known < MAX_FLOWS ? flow : `${OTHER_DOORS} ${direction}`;
}
