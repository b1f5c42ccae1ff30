import { type DoorEvent, METRICS } from '@crowdvision/contracts';

/** What a counter that counts from its start said last. */
export interface Baseline {
	total: number;
	/** As the device tells it; undefined where it does not. */
	boot: string | undefined;
	/** Epoch ms. */
	at: number;
}

export interface CounterLimits {
	/** The total is below this and goes on from 0; undefined where nobody said. */
	wrapAt: number | undefined;
	/** More people a minute do not get through this door. */
	perMinute: number;
}

export interface Counted {
	/** Crossings since the last message. */
	count: number;
	detected?: DoorEvent;
	baseline: Baseline;
}

/** Where counters of 8, 16 and 32 bits begin again. */
const USUAL_WRAPS = [2 ** 8, 2 ** 16, 2 ** 32];
/**
 * Nobody said where the counter wraps: it must have come from this close below and gone this little beyond, in shares
 * of the bound.
 */
const NEAR = 0.1;
/** A group that comes through at once is no mistake, however short the time. */
const BURST = 50;
/** More than a door may tell of in one message is not made of totals either. */
const MOST = METRICS.peopleIn.max;
const MINUTE_MS = 60_000;

/**
 * The crossings between two totals of one counter. A smaller total is a wrap where that makes a number of people that
 * can have come through in the time, else the device restarted and counts from 0; with another `boot` it restarted for
 * sure. What cannot have come through is not counted: the counter goes on from there. Never negative, and never more
 * than `MOST`.
 */
export function countTotal(
	before: Baseline | undefined,
	told: Baseline,
	{ wrapAt, perMinute }: CounterLimits,
): Counted {
	if (!before) return { count: 0, detected: 'first', baseline: told };
	const restarted = before.boot !== told.boot && told.boot !== undefined && before.boot !== undefined;
	// What was sent earlier and comes later is in the newer total already.
	if (told.at < before.at && (restarted || told.total < before.total))
		return { count: 0, detected: 'late', baseline: before };
	const most = Math.min(MOST, BURST + (perMinute * Math.max(0, told.at - before.at)) / MINUTE_MS);
	const possible = (count: number, event?: DoorEvent): Counted => {
		if (count > most) return { count: 0, detected: event ?? 'jump', baseline: told };
		return event === undefined ? { count, baseline: told } : { count, detected: event, baseline: told };
	};
	if (restarted) return possible(told.total, 'reset');
	if (told.total >= before.total) return possible(told.total - before.total);
	const wrap = wrapBetween(before.total, told.total, wrapAt);
	if (wrap !== undefined && wrap <= most) return { count: wrap, detected: 'wrap', baseline: told };
	return possible(told.total, 'reset');
}

/** The crossings if the counter began again between the two, or undefined where no counter would have. */
function wrapBetween(before: number, total: number, wrapAt: number | undefined): number | undefined {
	if (wrapAt !== undefined) return before < wrapAt ? total + wrapAt - before : undefined;
	const bound = USUAL_WRAPS.find((usual) => before < usual);
	if (bound === undefined || before < bound * (1 - NEAR) || total > bound * NEAR) return undefined;
	return total + bound - before;
}
