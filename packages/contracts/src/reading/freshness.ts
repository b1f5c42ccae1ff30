import { metricDefinition } from './metrics.ts';

/**
 * What a value is worth now (P8):
 * - `live`: heard of within its metric's deadline.
 * - `stuck`: heard of, but the same for longer than this metric ever stays the same: the sensor may be broken.
 * - `stale`: not heard of within the deadline.
 * - `offline`: the device said that it is gone, after it said the value.
 * - `no-data`: never heard of. That is not 0.
 */
export const FRESHNESSES = ['live', 'stale', 'stuck', 'offline', 'no-data'] as const;
export type Freshness = (typeof FRESHNESSES)[number];

/**
 * A value older than this is stale, unless its metric has a deadline of its own: it is greyed out, and no alert opens
 * or closes on it.
 */
export const FRESHNESS_MS = 5 * 60_000;

/** How long a value of this metric holds, in ms: in the live view as in history. */
export function freshMs(metric: string): number {
	return metricDefinition(metric)?.freshMs ?? FRESHNESS_MS;
}

/** When something was heard, as far as it decides what that is worth. Times are epoch ms. */
export interface Heard {
	observedAt: number;
	/**
	 * Since when the sensor has said this same value; where it is left out, nobody knows and the value is never stuck.
	 */
	unchangedSince?: number;
	/** When the device last said that it is gone, if it did. */
	offlineAt?: number;
}

/**
 * What something heard then is worth at `now`. Undefined was never heard. A metric that is not of the catalog goes by
 * the default deadline.
 */
export function freshness(metric: string, heard: Heard, now: number): Exclude<Freshness, 'no-data'>;
export function freshness(metric: string, heard: Heard | undefined, now: number): Freshness;
export function freshness(metric: string, heard: Heard | undefined, now: number): Freshness {
	if (!heard) return 'no-data';
	const { observedAt, unchangedSince, offlineAt } = heard;
	if (offlineAt !== undefined && offlineAt > observedAt && offlineAt <= now) return 'offline';
	if (now - observedAt > freshMs(metric)) return 'stale';
	const stuckMs = metricDefinition(metric)?.stuckMs;
	if (stuckMs !== undefined && unchangedSince !== undefined && observedAt - unchangedSince > stuckMs) return 'stuck';
	return 'live';
}

/** Whether a value of this freshness tells how things are now. One that is stuck does: it is said now, and doubted. */
export function isCurrent(freshness: Freshness): boolean {
	return freshness === 'live' || freshness === 'stuck';
}

/** Until when something heard is current if nothing more is heard, in epoch ms. */
export function freshUntil(metric: string, { observedAt, offlineAt }: Heard): number {
	const deadline = observedAt + freshMs(metric);
	return offlineAt !== undefined && offlineAt > observedAt ? Math.min(deadline, offlineAt) : deadline;
}

/** Whether something observed then is too old to be called current, by the default deadline. */
export function isStale(observedAt: number, now: number): boolean {
	return now - observedAt > FRESHNESS_MS;
}
