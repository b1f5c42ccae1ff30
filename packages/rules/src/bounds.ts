/** The levels at which a breach begins and ends. */
import type { Limit, MetricDefinition } from '@crowdvision/contracts';
import type { Side } from './condition.ts';

/** One side of a limit. */
export interface Bound {
	/** A value beyond it is a breach. */
	limit: number;
	/** A value at it, or further inside, ends a breach; values between the two change nothing. */
	clearAt: number;
}

/** The limits of a rule; one without either is never exceeded. */
export interface Bounds {
	max?: Bound;
	min?: Bound;
}

/** The clear level is 1/20 (5 %) of the limit's magnitude inside the limit. */
const CLEAR_DIVISOR = 20;
/** Share of the span between two limits that each clear level takes at most, so that half of it is clear. */
const MAX_SPAN_SHARE = 1 / 4;

/**
 * Limits with their clear levels: 5 % of the limit's magnitude inside, but at least one step of the metric's last digit
 * (near 0, 5 % is nothing) and never outside the metric's range.
 */
export function boundsOf(
	{ decimals, min: lowest, max: highest }: MetricDefinition,
	{ max, min }: Pick<Limit, 'max' | 'min'>,
): Bounds {
	const span = max === undefined || min === undefined ? Number.POSITIVE_INFINITY : Math.max(0, max - min);
	const margin = (limit: number) =>
		Math.min(Math.max(Math.abs(limit) / CLEAR_DIVISOR, 10 ** -decimals), span * MAX_SPAN_SHARE);
	return {
		...(max !== undefined && { max: { limit: max, clearAt: Math.max(max - margin(max), lowest) } }),
		...(min !== undefined && { min: { limit: min, clearAt: Math.min(min + margin(min), highest) } }),
	};
}

/** The limit that a value is beyond; undefined within the limits. */
export function crossed({ max, min }: Bounds, value: number): Side | undefined {
	if (max && value > max.limit) return 'max';
	return min && value < min.limit ? 'min' : undefined;
}

/**
 * Whether a breach on `side` has ended: the value is back at the clear level of that side, if the rule still has it,
 * and not beyond the other limit.
 */
export function hasEnded(rule: Bounds, side: Side | null, value: number): boolean {
	if (crossed(rule, value)) return false;
	if (side === 'max') return !rule.max || value <= rule.max.clearAt;
	return !rule.min || value >= rule.min.clearAt;
}
