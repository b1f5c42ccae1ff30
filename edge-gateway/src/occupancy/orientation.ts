/** Finds doors that are mounted the wrong way round: their ins are outs. */

/** A count as it would have run since the last rest: where it is, and its lowest and highest point. */
interface Course {
	now: number;
	low: number;
	high: number;
}

/** What a room knows of the way its doors are mounted. Plain, for the checkpoint. */
export interface Orientation {
	/** The count of the room since the last rest, from 0. */
	room: Course;
	/** By door: that count if this door were turned round, and the door's own part of it. */
	turned: Record<string, Course & { net: number }>;
	/** People who crossed since the last rest. */
	crossings: number;
	/** When somebody last crossed, epoch ms. */
	at: number;
	/** The longest time in which nobody crossed, in ms. */
	longestRest: number;
	/** By door, rests in a row at which only this door turned round would make sense. */
	votes: Record<string, number>;
}

/** Nobody crosses for so long at least when a room is at rest, which is when it is about as empty as it gets. */
const REST_MS = 6 * 3600_000;
/** People may sit in a room for hours, but not for as long as it is empty at night. */
const SHARE_OF_LONGEST = 0.7;
/** At weekends a room is at rest for longer. */
const LONG_REST_MS = 12 * 3600_000;
/** Fewer crossings between two rests, or a smaller difference, prove nothing. */
const MIN_CROSSINGS = 10;
const MIN_RANGE = 5;
/** Where a room is empty, its count is near its lowest; where a door is turned round, near its highest. */
const NEAR_LOW = 0.3;
const NEAR_HIGH = 0.7;
/** Rests in a row after which a door is proposed. */
const VOTES = 2;
const MAX_DOORS = 64;

/** A room of which nothing is known. */
export function newOrientation(): Orientation {
	return { room: course(0), turned: {}, crossings: 0, at: 0, longestRest: 0, votes: {} };
}

/**
 * Notes that people crossed a door; `signed` is negative for those who left. Returns the door that is found to be
 * turned round by the rest before this crossing, if one is.
 */
export function noteCrossing(state: Orientation, door: string, signed: number, at: number): string | undefined {
	const rest = state.at === 0 ? 0 : at - state.at;
	const isRest = rest >= Math.max(REST_MS, Math.min(LONG_REST_MS, SHARE_OF_LONGEST * state.longestRest));
	const found = isRest ? noteRest(state) : undefined;
	state.longestRest = Math.max(state.longestRest, rest);
	state.at = Math.max(state.at, at);
	state.crossings += Math.abs(signed);
	if (!Object.hasOwn(state.turned, door) && Object.keys(state.turned).length < MAX_DOORS)
		state.turned[door] = { ...state.room, net: 0 };
	move(state.room, state.room.now + signed);
	for (const [id, turned] of Object.entries(state.turned)) {
		if (id === door) turned.net += signed;
		move(turned, state.room.now - 2 * turned.net);
	}
	return found;
}

/**
 * Notes that the room is at rest: nobody has crossed for hours, or it is known to be empty. Returns the door that is
 * found to be turned round, once.
 */
export function noteRest(state: Orientation): string | undefined {
	const { room, turned, votes } = state;
	if (state.crossings < MIN_CROSSINGS) return undefined;
	state.room = course(0);
	state.turned = {};
	state.crossings = 0;
	if (room.high - room.low < MIN_RANGE) return undefined;
	if (place(room) <= NEAR_LOW) state.votes = {};
	if (place(room) < NEAR_HIGH) return undefined;
	const [best] = Object.entries(turned).sort(
		([, a], [, b]) => place(a) - place(b) || b.high - b.low - (a.high - a.low),
	);
	if (!best || place(best[1]) > NEAR_LOW || best[1].high - best[1].low < MIN_RANGE) return undefined;
	const [door] = best;
	const times = (Object.hasOwn(votes, door) ? votes[door]! : 0) + 1;
	state.votes = { [door]: times };
	return times === VOTES ? door : undefined;
}

/** The doors that seem to be turned round. */
export function turnedRound({ votes }: Orientation): string[] {
	return Object.entries(votes).flatMap(([door, times]) => (times >= VOTES ? [door] : []));
}

const course = (now: number): Course => ({ now, low: now, high: now });

function move(course: Course, now: number): void {
	course.now = now;
	course.low = Math.min(course.low, now);
	course.high = Math.max(course.high, now);
}

/** Where a count is between its lowest point, 0, and its highest, 1. */
const place = ({ now, low, high }: Course) => (high === low ? 0 : (now - low) / (high - low));
