import { metricDefinition } from './metrics.ts';
import type { Reading } from './reading.ts';

/**
 * How far a value can be trusted now (P8):
 * - `live`: received within its deadline, which follows how often its sensor sends.
 * - `stuck`: received, but unchanged for longer than this metric ever stays the same: the sensor may be broken.
 * - `stale`: not received within the deadline.
 * - `offline`: the device reported that it goes offline, after it sent the value.
 * - `no-data`: never received. That is not 0.
 */
export const FRESHNESSES = ['live', 'stale', 'stuck', 'offline', 'no-data'] as const;
export type Freshness = (typeof FRESHNESSES)[number];

/**
 * The default deadline: an older value is stale. It is shown greyed out, and no alert opens or closes because of it. A
 * metric may have a deadline of its own, and a sensor that sends less often a later one.
 */
export const FRESHNESS_MS = 5 * 60_000;

/** The latest deadline by default, however rarely a sensor sends. */
const LONGEST_FRESHNESS_MS = 3 * 3600_000;

/** How far another machine's clock may be ahead of one's own without being wrong, in ms. */
export const MAX_AHEAD_MS = 60_000;

/** How long a value of this metric holds at least, in ms: that of a sensor whose cadence is unknown. */
export function freshMs(metric: string): number {
	return metricDefinition(metric)?.freshMs ?? FRESHNESS_MS;
}

/** How long a value of this metric holds at most, in ms, however rarely its sensor sends. */
export function longestFreshMs(metric: string): number {
	return metricDefinition(metric)?.longestFreshMs ?? LONGEST_FRESHNESS_MS;
}

/**
 * How long a value holds, in ms, in the live view and in history: as long as the gateway states (`freshFor`), within
 * the bounds of its metric. Readings of older gateways state nothing, and hold for `freshMs`.
 */
export function holdMs(metric: string, freshFor: number | undefined): number {
	const least = freshMs(metric);
	return freshFor === undefined ? least : Math.min(Math.max(freshFor, least), longestFreshMs(metric));
}

/**
 * The time by which a reading is ranked and aged, in epoch ms. A device's clock may be ahead, but what it reports has
 * happened by the time of receipt. So no stated time outranks what is received later.
 */
export function momentOf({ observedAt, receivedAt }: Pick<Reading, 'observedAt' | 'receivedAt'>): number {
	return Math.min(observedAt, receivedAt);
}

/** The times of a value that decide its freshness, in epoch ms. */
export interface ValueTimes {
	/** See `momentOf`. */
	observedAt: number;
	/** How long it counts as current, in ms, as the gateway states; default `freshMs`. */
	freshFor?: number;
	/** Since when the sensor has reported this same value; if it is unknown the value is never stuck. */
	unchangedSince?: number;
	/** When the device last reported that it goes offline. */
	offlineAt?: number;
}

/**
 * The freshness of a value at `now`; undefined times mean that none was received. A metric outside the catalog has the
 * default deadline.
 */
export function freshness(metric: string, times: ValueTimes, now: number): Exclude<Freshness, 'no-data'>;
export function freshness(metric: string, times: ValueTimes | undefined, now: number): Freshness;
export function freshness(metric: string, times: ValueTimes | undefined, now: number): Freshness {
	if (!times) return 'no-data';
	const { observedAt, freshFor, unchangedSince, offlineAt } = times;
	if (offlineAt !== undefined && offlineAt > observedAt && offlineAt <= now) return 'offline';
	// A value from further ahead than it would hold does not describe the present either: one of the clocks is wrong.
	if (Math.abs(now - observedAt) > holdMs(metric, freshFor)) return 'stale';
	const stuckMs = metricDefinition(metric)?.stuckMs;
	if (stuckMs !== undefined && unchangedSince !== undefined && observedAt - unchangedSince > stuckMs) return 'stuck';
	return 'live';
}

/** Whether a value of this freshness describes the present. A stuck one does: it is being reported, though doubtful. */
export function isCurrent(freshness: Freshness): boolean {
	return freshness === 'live' || freshness === 'stuck';
}

/** Until when a value is current if no other is received, in epoch ms. */
export function freshUntil(metric: string, { observedAt, freshFor, offlineAt }: ValueTimes): number {
	const deadline = observedAt + holdMs(metric, freshFor);
	return offlineAt !== undefined && offlineAt > observedAt ? Math.min(deadline, offlineAt) : deadline;
}

/** Whether a value observed at `observedAt` is stale by the default deadline. */
export function isStale(observedAt: number, now: number): boolean {
	return now - observedAt > FRESHNESS_MS;
}
