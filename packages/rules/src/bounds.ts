/** The levels at which a breach begins and ends, and those at which it is critical. */
import type { Limit, MetricDefinition } from '@crowdvision/contracts';
import type { Side } from './condition.ts';

/** One side of a limit. */
export interface Bound {
	/** A value beyond it is a breach. */
	limit: number;
	/** A value at it, or further inside, ends a breach; values between the two change nothing. */
	clearAt: number;
	/** A value beyond `limit` of it makes the alert critical, until a value is at its `clearAt` or further inside. */
	critical?: Pick<Bound, 'limit' | 'clearAt'>;
}

/** The limits of a rule; one without either is never exceeded. */
export interface Bounds {
	max?: Bound;
	min?: Bound;
	/** How fast the value may rise, per minute. */
	rise?: Bound;
}

/** The clear level is 1/20 (5 %) of the limit's magnitude inside the limit. */
const CLEAR_DIVISOR = 20;
/** Share of the span between two limits that each clear level takes at most, so that half of it is clear. */
const MAX_SPAN_SHARE = 1 / 4;
/** Share of the span between a limit and its critical level that is still critical on the way back, at most. */
const CRITICAL_SPAN_SHARE = 1 / 2;

/**
 * Limits with their clear levels: as configured, else 5 % of the limit's magnitude inside, but at least one step of the
 * metric's last digit (near 0, 5 % is nothing) and never outside the metric's range. Where values are whole numbers and
 * 1 is within the limit, 1 is within the clear level: with room for one person, one person is not too many.
 */
export function boundsOf({ decimals, min: lowest, max: highest }: MetricDefinition, limit: Limit): Bounds {
	const { max, min, clearMax, clearMin, criticalMax, criticalMin, risePerMinute: rise } = limit;
	const span = max === undefined || min === undefined ? Number.POSITIVE_INFINITY : Math.max(0, max - min);
	const step = 10 ** -decimals;
	const margin = (level: number) => Math.max(Math.abs(level) / CLEAR_DIVISOR, step);
	const inside = (level: number) =>
		decimals === 0 && level === 1 ? 0 : Math.min(margin(level), span * MAX_SPAN_SHARE);
	const backFrom = (critical: number, from: number) =>
		Math.min(margin(critical), Math.abs(critical - from) * CRITICAL_SPAN_SHARE);
	return {
		...(max !== undefined && {
			max: {
				limit: max,
				clearAt: Math.min(clearMax ?? Math.max(max - inside(max), lowest), max),
				...(criticalMax !== undefined && {
					critical: { limit: criticalMax, clearAt: criticalMax - backFrom(criticalMax, max) },
				}),
			},
		}),
		...(min !== undefined && {
			min: {
				limit: min,
				clearAt: Math.max(clearMin ?? Math.min(min + inside(min), highest), min),
				...(criticalMin !== undefined && {
					critical: { limit: criticalMin, clearAt: criticalMin + backFrom(criticalMin, min) },
				}),
			},
		}),
		...(rise !== undefined && { rise: { limit: rise, clearAt: rise - rise / CLEAR_DIVISOR } }),
	};
}

/** The limit that a value is beyond; undefined within the limits. @param rise how fast it rises, per minute */
export function crossed({ max, min, rise: fast }: Bounds, value: number, rise = 0): Side | undefined {
	if (max && value > max.limit) return 'max';
	if (min && value < min.limit) return 'min';
	return fast && rise > fast.limit ? 'rise' : undefined;
}

/**
 * Whether a breach on `side` has ended: the value is back at the clear level of that side, if the rule still has it,
 * and not beyond another limit.
 */
export function hasEnded(bounds: Bounds, side: Side | null, value: number, rise = 0): boolean {
	if (crossed(bounds, value, rise)) return false;
	if (side === 'rise') return !bounds.rise || rise <= bounds.rise.clearAt;
	if (side === 'max') return !bounds.max || value <= bounds.max.clearAt;
	return !bounds.min || value >= bounds.min.clearAt;
}

/**
 * Whether a value is critical: beyond the critical level of a side, or not back at where that ends.
 * @param was whether the alert is critical already
 */
export function isCritical({ max, min }: Bounds, value: number, was: boolean): boolean {
	const above = max?.critical && (was ? value > max.critical.clearAt : value > max.critical.limit);
	const below = min?.critical && (was ? value < min.critical.clearAt : value < min.critical.limit);
	return above || below || false;
}
