import { type Adjustment, type DoorEvent, type Interval, METRICS } from '@crowdvision/contracts';
import { type Baseline, type CounterLimits, countTotal } from './cumulative-counter.ts';
import { type DriftBelief, driftOver, type LegTraffic, learn, noBelief, SPREADS, withoutLegs } from './drift-model.ts';

export type Direction = 'in' | 'out';

/** What a door may do and how far it may be wrong. */
export interface DoorLimits extends CounterLimits {
	/** The largest bias that is usual, as a share of what is counted. */
	bias: number;
	/** Share of crossings missed or counted twice by chance. */
	missRate: number;
}

/** What changes a room's count. Times are epoch ms. */
export type Change =
	/** Crossings of a door since its last message. */
	| { kind: 'crossings'; door: string; direction: Direction; count: number; at: number; receivedAt: number }
	/** What a door has counted since it was switched on. */
	| { kind: 'total'; door: string; direction: Direction; total: number; boot: string | undefined; at: number }
	/** The count is known: nobody is there, or somebody has looked. */
	| { kind: 'known'; why: Adjustment['kind']; count: number; at: number };

/** What a change did. */
export interface Effect {
	before: number;
	count: number;
	/** Of a door, as seen from the room; 0 both for a count that is known. */
	in: number;
	out: number;
	detected: DoorEvent | undefined;
	/** How far below 0 the count would have fallen. */
	clamped: number;
	interval: Interval;
}

/** All that is known of one room's count. Plain, for the checkpoint. Who changes it is `step`, and nobody else. */
export interface RoomCount {
	count: number;
	/**
	 * The count when it was known last, and since when. `spread`: how far it may have been off then, as a standard
	 * deviation.
	 */
	known: { count: number; at: number; why: 'begun' | Adjustment['kind']; spread: number };
	/** Ins minus outs since then: what the count would be if it could be less than none. */
	net: number;
	/** Crossings since then, by leg: a door and a direction. */
	traffic: Record<string, number>;
	/** By leg, of doors that count from their start. */
	totals: Record<string, Baseline>;
	belief: DriftBelief;
	/** When somebody crossed last, by the gateway's clock; 0 for never. */
	crossedAt: number;
	interval: Interval;
}

/** Rooms that are counted at once: a device may name ever new ones. */
export const MOST_ROOMS = 10_000;

/** Doors beyond these share what is believed of them: what is kept of a room is bounded. */
const MOST_LEGS = 64;
const OTHER_DOORS = '*';
const MOST_PEOPLE = METRICS.peopleCount.max;

/**
 * A room that counting begins in at `at`: with nobody in it, as nobody knows better, or with what it was last said to
 * hold.
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

/** Changes `room`, by nothing but its arguments: the same changes make the same room again after a crash. */
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
	let crossed: number;
	let detected: DoorEvent | undefined;
	if (change.kind === 'total') {
		const leg = `${door} ${direction}`;
		const counted = countTotal(room.totals[leg], { total: change.total, boot: change.boot, at }, limitsOf(door));
		room.totals[leg] = counted.baseline;
		crossed = counted.count;
		detected = counted.detected;
	} else {
		// A device that was cut off tells in the morning who went home before the room was zeroed.
		const late =
			room.known.why === 'zeroing' && change.count > 0 && at < room.known.at && change.receivedAt >= room.known.at;
		crossed = late ? 0 : change.count;
		detected = late ? 'late' : undefined;
	}
	const signed = direction === 'in' ? crossed : -crossed;
	const sum = before + signed;
	room.count = Math.min(MOST_PEOPLE, Math.max(0, sum));
	if (crossed > 0) {
		room.net += signed;
		const leg = legOf(room, door, direction);
		room.traffic[leg] = (room.traffic[leg] ?? 0) + crossed;
		room.crossedAt = Math.max(room.crossedAt, at);
	}
	room.interval = intervalOf(room, limitsOf);
	const [came, went] = direction === 'in' ? [crossed, 0] : [0, crossed];
	return {
		before,
		count: room.count,
		in: came,
		out: went,
		detected,
		clamped: Math.max(0, -sum),
		interval: room.interval,
	};
}

function setKnown(
	room: RoomCount,
	{ why, count, at }: Extract<Change, { kind: 'known' }>,
	limitsOf: (door: string) => DoorLimits,
): Effect {
	const before = room.count;
	// From a count that was only taken to be so, nothing can be learned about doors.
	if (room.known.why !== 'begun')
		room.belief = learn(room.belief, trafficOf(room, limitsOf), room.known.count + room.net - count);
	// Doors come and go over the years: where there is no room for more, those go that nobody went through.
	const { legs } = room.belief;
	if (legs.length >= MOST_LEGS)
		room.belief = withoutLegs(room.belief, new Set(legs.filter((leg) => !(leg in room.traffic))));
	room.count = count;
	room.known = { count, at, why, spread: 0 };
	room.net = 0;
	room.traffic = {};
	room.interval = { low: count, high: count };
	return { before, count, in: 0, out: 0, detected: undefined, clamped: 0, interval: room.interval };
}

/** Whole people, with the count itself always inside: what is shown beside it must not contradict it. */
function intervalOf(room: RoomCount, limitsOf: (door: string) => DoorLimits): Interval {
	const { mean, spread } = driftOver(room.belief, trafficOf(room, limitsOf));
	const middle = room.known.count + room.net - mean;
	const half = SPREADS * Math.hypot(spread, room.known.spread);
	const low = Math.max(0, Math.floor(middle - half));
	const high = Math.min(MOST_PEOPLE, Math.ceil(middle + half));
	return { low: Math.min(low, room.count), high: Math.max(high, room.count) };
}

function trafficOf(room: RoomCount, limitsOf: (door: string) => DoorLimits): LegTraffic[] {
	return Object.entries(room.traffic).map(([leg, crossings]) => {
		const space = leg.lastIndexOf(' ');
		const { bias, missRate } = limitsOf(leg.slice(0, space));
		return { leg, sign: leg.slice(space + 1) === 'in' ? 1 : -1, crossings, bias, missRate };
	});
}

function legOf(room: RoomCount, door: string, direction: Direction): string {
	const leg = `${door} ${direction}`;
	const { legs } = room.belief;
	if (leg in room.traffic || legs.includes(leg)) return leg;
	const met = legs.length + Object.keys(room.traffic).filter((one) => !legs.includes(one)).length;
	return met < MOST_LEGS ? leg : `${OTHER_DOORS} ${direction}`;
}
