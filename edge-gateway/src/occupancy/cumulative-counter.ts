/** Turns the totals of a cumulative counter into crossings: wraps, restarts, jumps, late messages. */
import { type DoorEvent, METRICS } from '@crowdvision/contracts';

/** The last total that was counted from, of a counter that counts since it was switched on. */
export interface Baseline {
	total: number;
	/** The boot id that the device sent, if any. */
	boot: string | undefined;
	/** Epoch ms. */
	at: number;
}

/** What is possible for a counter and its door. */
export interface CounterLimits {
	/** The counter continues from 0 instead of reaching this; undefined if it is not configured. */
	wrapAt: number | undefined;
	/** Most people a minute who can get through this door. */
	perMinute: number;
}

/** The result of counting from one total to the next. */
export interface Counted {
	/** Crossings since the last message. */
	count: number;
	/** What was recognized, if it was not ordinary counting. */
	detected?: DoorEvent;
	/** The total to count from next. */
	baseline: Baseline;
}

/** Where counters of 8, 16 and 32 bits wrap. */
const USUAL_WRAPS = [2 ** 8, 2 ** 16, 2 ** 32];
/**
 * Without a configured wrap, the counter must have been this close below the bound and be this little above 0, as a
 * share of the bound.
 */
const NEAR = 0.1;
/** A group of this size may come through at once, however short the time. */
const BURST = 50;
/** Most crossings of one message, as for `peopleIn` itself. */
const MAX_CROSSINGS = METRICS.peopleIn.max;
const MINUTE_MS = 60_000;

/**
 * Returns the crossings between two totals of one counter. A smaller total is a wrap if that gives a possible number of
 * people for the time; otherwise the device restarted and counts from 0. Another `boot` means a restart for certain. An
 * impossible number of crossings is not counted, and counting continues from the new total. The result is from 0 to
 * `MAX_CROSSINGS`.
 */
export function countTotal(
	before: Baseline | undefined,
	received: Baseline,
	{ wrapAt, perMinute }: CounterLimits,
): Counted {
	if (!before) return { count: 0, detected: 'first', baseline: received };
	const restarted = before.boot !== received.boot && received.boot !== undefined && before.boot !== undefined;
	// A message that was sent earlier and arrives later is included in the newer total already.
	if (received.at < before.at && (restarted || received.total < before.total))
		return { count: 0, detected: 'late', baseline: before };
	const max = Math.min(MAX_CROSSINGS, BURST + (perMinute * Math.max(0, received.at - before.at)) / MINUTE_MS);
	const possible = (count: number, event?: DoorEvent): Counted => {
		if (count > max) return { count: 0, detected: event ?? 'jump', baseline: received };
		return event === undefined ? { count, baseline: received } : { count, detected: event, baseline: received };
	};
	if (restarted) return possible(received.total, 'reset');
	if (received.total >= before.total) return possible(received.total - before.total);
	const wrap = wrapBetween(before.total, received.total, wrapAt);
	if (wrap !== undefined && wrap <= max) return { count: wrap, detected: 'wrap', baseline: received };
	return possible(received.total, 'reset');
}

/** The crossings if the counter wrapped between the two totals, or undefined if it cannot have. */
function wrapBetween(before: number, total: number, wrapAt: number | undefined): number | undefined {
	if (wrapAt !== undefined) return before < wrapAt ? total + wrapAt - before : undefined;
	const bound = USUAL_WRAPS.find((usual) => before < usual);
	if (bound === undefined || before < bound * (1 - NEAR) || total > bound * NEAR) return undefined;
	return total + bound - before;
}
