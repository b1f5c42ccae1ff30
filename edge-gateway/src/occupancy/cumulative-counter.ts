/** Counts crossings from the totals of counters that count since they were switched on. */
import { type DoorEvent, METRICS } from '@crowdvision/contracts';

/** What a counter that counts from its start says. */
export interface Total {
	total: number;
	/** As the device sends it; undefined where it does not. */
	boot: string | undefined;
	/** Epoch ms. */
	at: number;
	/** Whether `at` is the device's own time, and not that of receipt: then two totals can be put in order by it. */
	isTimed?: boolean;
	/** As the device sends it. */
	seq?: number | undefined;
	/** When the device started, epoch ms, as its uptime says. */
	startedAt?: number | undefined;
}

/** A total that the counter fell to, and that may be where it goes on, or nothing but an old message. */
interface Rival {
	/** The first such total, and the latest that goes on from it. */
	from: number;
	total: number;
	at: number;
	/** Messages that agree on it. */
	times: number;
}

/**
 * What is known of a counter: the total that crossings are counted from, and what came before it. Plain, for the
 * checkpoint.
 */
export interface Baseline extends Total {
	/** The total before this one. */
	before?: number;
	/** Where it was before a leap that nobody believed, in case that was a slip. */
	trusted?: { total: number; at: number };
	rival?: Rival;
	/** People a minute at busy times. */
	pace?: number;
	/** Between its messages, in ms. */
	pause?: number;
	/** When it last began again from 0, epoch ms: a counter that is reset every night does so at the same hour. */
	resetAt?: number;
}

export interface CounterLimits {
	/** The total stays below this and goes on from 0; undefined where nobody said. */
	wrapAt: number | undefined;
	/** More people a minute do not get through this door. */
	perMinute: number;
}

export interface Counted {
	/** Crossings since the last message. */
	count: number;
	detected?: DoorEvent;
	/** How many more, and how many fewer, may have crossed, where the evidence leaves that open. */
	more?: number;
	fewer?: number;
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
/** A door may be this much busier than it ever was. */
const BUSIER = 3;
/** More than a door may send in one message is not made of totals either. */
const MOST = METRICS.peopleIn.max;
/** A total this many times smaller than the last is near 0. */
const NEAR_ZERO = 10;
/** So many messages that agree on a lower total are right: the counter was corrected. */
const AGREED = 3;
/** Clocks of device and gateway differ by this much. */
const CLOCK_MS = 60_000;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 3600_000;
/** A nightly reset follows the clocks, which are changed by an hour twice a year. */
const NIGHTLY_MS = 70 * MINUTE_MS;

/**
 * The crossings between two totals of one counter.
 *
 * A total that went down may be a restart, a nightly reset, a wrap, a correction, or a message that changed places with
 * another. Which one is decided by evidence: `boot`, uptime, `seq` and the device's own times; the width of the
 * counter; how many people can have crossed in the time, and how many usually do; what came before. Where that does not
 * decide it, nobody is counted, the counter goes on from where it was, and `more` says how many that may have missed.
 *
 * Never negative, and never more than `MOST` or than can have come through.
 */
export function countTotal(
	before: Baseline | undefined,
	received: Total,
	{ wrapAt, perMinute }: CounterLimits,
): Counted {
	if (!before) return { count: 0, detected: 'first', baseline: baselineOf(received) };
	const restarted = hasRestarted(before, received);
	if (isLate(before, received, restarted)) return { count: 0, detected: 'late', baseline: before };
	const minutes = Math.max(0, received.at - before.at) / MINUTE_MS;
	const most = Math.min(MOST, BURST + perMinute * minutes);
	const likely = Math.min(most, BURST + BUSIER * (before.pace ?? 0) * minutes);
	const next = baselineOf(received, before);
	if (restarted) return begunAgain(before, next, received.total <= most, minutes);
	if (received.total >= before.total) return risen(before, next, minutes, most, likely);

	const wrap = wrapBetween(before.total, received.total, wrapAt);
	if (wrap !== undefined && wrap <= most && (wrap <= BURST || wrap < before.total - received.total)) {
		const fewer = wrapAt === undefined ? Math.max(0, wrap - received.total) : 0;
		return { count: wrap, detected: 'wrap', ...(fewer > 0 && { fewer }), baseline: paced(next, before, wrap, minutes) };
	}
	const slip = before.trusted && back(before.trusted, next, received, perMinute);
	if (slip) return slip;
	// With an uptime from before the last message it did not restart.
	if (restarted === undefined && looksBegunAgain(before, received, likely))
		return begunAgain(before, next, true, minutes, received.total);
	return fallen(before, next, received, { perMinute, likely });
}

/** Whether the device restarted between the two, as it says itself; undefined where it does not say. */
function hasRestarted(before: Baseline, received: Total): boolean | undefined {
	if (before.boot !== undefined && received.boot !== undefined) return before.boot !== received.boot;
	if (received.startedAt === undefined) return undefined;
	if (received.startedAt > before.at + CLOCK_MS) return true;
	return received.startedAt < before.at - CLOCK_MS ? false : undefined;
}

/** What was sent earlier and comes later is in the newer total already. */
function isLate(before: Baseline, received: Total, restarted: boolean | undefined): boolean {
	if (received.at < before.at && (restarted || received.total < before.total)) return true;
	return !restarted && received.total < before.total && seqStep(before, received) < 0;
}

/** How far `seq` rose; NaN where the two cannot be compared. */
function seqStep(before: Baseline, received: Total): number {
	return before.boot === received.boot ? (received.seq ?? Number.NaN) - (before.seq ?? Number.NaN) : Number.NaN;
}

/** Whether the device surely sent `received` after `before`. */
function isInOrder(before: Baseline, received: Total): boolean {
	return (
		seqStep(before, received) > 0 || (before.isTimed === true && received.isTimed === true && received.at > before.at)
	);
}

/** The device counts from 0 again. What crossed between its last message and then is not known. */
function begunAgain(before: Baseline, next: Baseline, isPossible: boolean, minutes: number, fewer = 0): Counted {
	const { total, at } = next;
	const isNightly = before.resetAt !== undefined && isSameHour(before.resetAt, at);
	const lost = Math.ceil((before.pace ?? 0) * minutes);
	return {
		count: isPossible ? total : 0,
		detected: isNightly ? 'nightly-reset' : 'reset',
		...(lost > 0 && { more: Math.min(lost, MOST) }),
		...(fewer > 0 && { fewer }),
		baseline: { ...next, resetAt: at },
	};
}

/**
 * Whether a total that went down is that of a counter that began again, by no more than its size: no more people than
 * can be expected since the last message, and so near 0 that no message can be that old; or at the hour at which it
 * always begins again.
 */
function looksBegunAgain(before: Baseline, { total, at }: Total, likely: number): boolean {
	const isNightly = before.resetAt !== undefined && isSameHour(before.resetAt, at);
	const isOld = before.before !== undefined && total >= before.before;
	return total <= likely && (isNightly ? total < before.total : total * NEAR_ZERO <= before.total && !isOld);
}

/** As many crossings as the total rose by, unless that is more than can be. */
function risen(before: Baseline, next: Baseline, minutes: number, most: number, likely: number): Counted {
	const count = next.total - before.total;
	if (count > most)
		return { count: 0, detected: 'jump', baseline: { ...next, trusted: { total: before.total, at: before.at } } };
	const baseline = paced(next, before, count, minutes);
	// Was the lower total in between right, more people came: as far as that can be.
	const missed = before.rival ? before.total - before.rival.from : 0;
	const more = count + missed <= likely ? missed : 0;
	return more > 0 ? { count, more, baseline } : { count, baseline };
}

/** A total that goes on from before a leap that was not believed: the leap was a slip. */
function back(
	trusted: { total: number; at: number },
	next: Baseline,
	{ total, at }: Total,
	perMinute: number,
): Counted | undefined {
	const count = total - trusted.total;
	const most = Math.min(MOST, BURST + (perMinute * Math.max(0, at - trusted.at)) / MINUTE_MS);
	return count >= 0 && count <= most ? { count, detected: 'corrected', baseline: next } : undefined;
}

/** A total that went down, and nothing tells why: nobody is counted until that is clear. */
function fallen(
	before: Baseline,
	next: Baseline,
	received: Total,
	{ perMinute, likely }: { perMinute: number; likely: number },
): Counted {
	const { total, at } = received;
	const mayHaveBegunAgain = total <= likely && total * 2 < before.total;
	// What came in order was no old message: somebody set the counter back.
	if (isInOrder(before, received)) return setBack(next, at, mayHaveBegunAgain ? total : 0);
	const rival = rivalOf(before, received, perMinute);
	if (rival.times < AGREED) return { count: 0, detected: 'unsure', baseline: { ...before, rival } };
	return setBack(next, at, mayHaveBegunAgain ? total : total - rival.from);
}

/** The counter goes on from a lower total. If it began again from 0 instead, `more` people came. */
function setBack(next: Baseline, at: number, more: number): Counted {
	const baseline = more === next.total ? { ...next, resetAt: at } : next;
	return { count: 0, detected: 'corrected', ...(more > 0 && { more }), baseline };
}

/** The lower total with what speaks for it: messages that go on from it, as far apart as this counter's are. */
function rivalOf({ rival, pause = 0 }: Baseline, { total, at }: Total, perMinute: number): Rival {
	const goesOn =
		rival !== undefined &&
		total >= rival.total &&
		total - rival.total <= BURST + (perMinute * Math.max(0, at - rival.at)) / MINUTE_MS;
	if (!goesOn) return { from: total, total, at, times: 1 };
	// Old messages that were held back arrive all at once, and one that is sent again proves nothing.
	const agrees = total > rival.total && at - rival.at >= pause / 2;
	return { from: rival.from, total, at: agrees ? at : rival.at, times: rival.times + (agrees ? 1 : 0) };
}

/** The crossings if the counter began again between the two, or undefined where no counter would have. */
function wrapBetween(before: number, total: number, wrapAt: number | undefined): number | undefined {
	if (wrapAt !== undefined) return before < wrapAt ? total + wrapAt - before : undefined;
	const bound = USUAL_WRAPS.find((usual) => before < usual);
	if (bound === undefined || before < bound * (1 - NEAR) || total > bound * NEAR) return undefined;
	return total + bound - before;
}

function baselineOf({ total, boot, at, isTimed, seq }: Total, before?: Baseline): Baseline {
	return {
		...{ total, boot, at },
		...(isTimed && { isTimed }),
		...(seq !== undefined && { seq }),
		...(before && total >= before.total && { before: before.total }),
		...(before?.pace !== undefined && { pace: before.pace }),
		...(before && at > before.at && { pause: pauseOf(before, at) }),
		...(before?.resetAt !== undefined && { resetAt: before.resetAt }),
	};
}

/** How far apart the counter's messages are, in ms: nearer to the last of its pauses each time. */
function pauseOf({ pause, at: before }: Baseline, at: number): number {
	const last = at - before;
	return pause === undefined ? last : pause + (last - pause) / 4;
}

/** With what this message says of how busy the door is: the pace rises at once, and sinks slowly. */
function paced(next: Baseline, { pace = 0 }: Baseline, count: number, minutes: number): Baseline {
	if (minutes === 0) return next;
	const rate = count / minutes;
	return { ...next, pace: rate > pace ? rate : pace + (rate - pace) / 10 };
}

/** Whether two moments are some days and about no hours apart. */
function isSameHour(one: number, other: number): boolean {
	const apart = Math.abs(other - one);
	const days = Math.round(apart / DAY_MS);
	return days > 0 && Math.abs(apart - days * DAY_MS) <= NIGHTLY_MS;
}
