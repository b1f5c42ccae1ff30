import { metricDefinition } from './metrics.ts';

/**
 * How far a value can be trusted now (P8):
 * - `live`: received within its metric's deadline.
 * - `stuck`: received, but unchanged for longer than this metric ever stays the same: the sensor may be broken.
 * - `stale`: not received within the deadline.
 * - `offline`: the device reported that it goes offline, after it sent the value.
 * - `no-data`: never received. That is not 0.
 */
export const FRESHNESSES = ['live', 'stale', 'stuck', 'offline', 'no-data'] as const;
export type Freshness = (typeof FRESHNESSES)[number];

/**
 * The default deadline: an older value is stale. It is shown greyed out, and no alert opens or closes because of it. A
 * metric may have a deadline of its own.
 */
export const FRESHNESS_MS = 5 * 60_000;

/** How long a value of this metric holds, in ms, in the live view and in history. */
export function freshMs(metric: string): number {
	return metricDefinition(metric)?.freshMs ?? FRESHNESS_MS;
}

/** The times of a value that decide its freshness, in epoch ms. */
export interface ValueTimes {
	observedAt: number;
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
	const { observedAt, unchangedSince, offlineAt } = times;
	if (offlineAt !== undefined && offlineAt > observedAt && offlineAt <= now) return 'offline';
	if (now - observedAt > freshMs(metric)) return 'stale';
	const stuckMs = metricDefinition(metric)?.stuckMs;
	if (stuckMs !== undefined && unchangedSince !== undefined && observedAt - unchangedSince > stuckMs) return 'stuck';
	return 'live';
}

/** Whether a value of this freshness describes the present. A stuck one does: it is being reported, though doubtful. */
export function isCurrent(freshness: Freshness): boolean {
	return freshness === 'live' || freshness === 'stuck';
}

/** Until when a value is current if no other is received, in epoch ms. */
export function freshUntil(metric: string, { observedAt, offlineAt }: ValueTimes): number {
	const deadline = observedAt + freshMs(metric);
	return offlineAt !== undefined && offlineAt > observedAt ? Math.min(deadline, offlineAt) : deadline;
}

/** Whether a value observed at `observedAt` is stale by the default deadline. */
export function isStale(observedAt: number, now: number): boolean {
	return now - observedAt > FRESHNESS_MS;
}
