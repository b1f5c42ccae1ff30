import {
	type Alert,
	holdMs,
	isIncomplete,
	type LatestValue,
	type Limit,
	type MetricDefinition,
	type MetricLookup,
	type RetainedRoom,
} from '@crowdvision/contracts';
import type { Condition, RuleKind, Side } from '../store.ts';

/** One side of a limit. */
export interface Bound {
	/** A value beyond it is a breach. */
	limit: number;
	/** A value at it, or further inside, ends a breach; values between the two change nothing. */
	clearAt: number;
}

/** The limits of one metric in one room. */
export interface Rule {
	kind: RuleKind;
	severity: Alert['severity'];
	metric: string;
	max?: Bound;
	min?: Bound;
	/** How long a breach must last before an alert opens, in ms. */
	dwellMs: number;
	/** Values are never below 0, so that a sum that lacks some of its counters is a least value. */
	neverNegative: boolean;
}

/** The condition of a rule that has seen no value yet. */
export const ALL_CLEAR: Condition = { phase: 'clear', since: null, side: null, seenAt: 0, alertId: null };

/** The clear level is 1/20 (5 %) of the limit's magnitude inside the limit. */
const CLEAR_DIVISOR = 20;
/** Share of the span between two limits that each clear level takes at most, so that half of it is clear. */
const MAX_SPAN_SHARE = 1 / 4;

/**
 * The rules of a room: at most as many people as its capacity, and its limits.
 * @param dwellMs dwell time of limits that do not set one
 */
export function rulesOf(
	{ capacity, limits = {} }: Pick<RetainedRoom, 'capacity' | 'limits'>,
	dwellMs: number,
	catalog: MetricLookup,
): Rule[] {
	const rules: Rule[] = [
		{
			kind: 'occupancy',
			severity: 'critical',
			metric: 'peopleCount',
			...boundsOf(catalog.describe('peopleCount'), { max: capacity }),
			dwellMs,
			neverNegative: true,
		},
	];
	// In the order of the catalog; a limit also holds for a metric whose definition has not been received yet.
	for (const metric of new Set([...catalog.allKeys(), ...Object.keys(limits)])) {
		const limit = limits[metric];
		if (!limit) continue;
		const { severity = 'warning', dwellSeconds } = limit;
		rules.push({
			kind: metric,
			severity,
			metric,
			...boundsOf(catalog.describe(metric), limit),
			dwellMs: dwellSeconds === undefined ? dwellMs : dwellSeconds * 1000,
			neverNegative: catalog.describe(metric).min >= 0,
		});
	}
	return rules;
}

/** The metric that rules and alerts of a kind concern. */
export const metricOf = (kind: RuleKind): string => (kind === 'occupancy' ? 'peopleCount' : kind);

/**
 * Limits with their clear levels: 5 % of the limit's magnitude inside, but at least one step of the metric's last digit
 * (near 0, 5 % is nothing) and never outside the metric's range.
 */
function boundsOf(
	{ decimals, min: lowest, max: highest }: MetricDefinition,
	{ max, min }: Pick<Limit, 'max' | 'min'>,
): Pick<Rule, 'max' | 'min'> {
	const span = max === undefined || min === undefined ? Number.POSITIVE_INFINITY : Math.max(0, max - min);
	const margin = (limit: number) =>
		Math.min(Math.max(Math.abs(limit) / CLEAR_DIVISOR, 10 ** -decimals), span * MAX_SPAN_SHARE);
	return {
		...(max !== undefined && { max: { limit: max, clearAt: Math.max(max - margin(max), lowest) } }),
		...(min !== undefined && { min: { limit: min, clearAt: Math.min(min + margin(min), highest) } }),
	};
}

/** The limit that a value is beyond; undefined within the limits. */
function crossed({ max, min }: Pick<Rule, 'max' | 'min'>, value: number): Side | undefined {
	if (max && value > max.limit) return 'max';
	return min && value < min.limit ? 'min' : undefined;
}

/**
 * Whether a breach on `side` has ended: the value is back at the clear level of that side, if the rule still has it,
 * and not beyond the other limit.
 */
function hasEnded(rule: Pick<Rule, 'max' | 'min'>, side: Side | null, value: number): boolean {
	if (crossed(rule, value)) return false;
	if (side === 'max') return !rule.max || value <= rule.max.clearAt;
	return !rule.min || value >= rule.min.clearAt;
}

/** Whether what a least value shows also holds for every higher one: it is too high, or no longer too low. */
const isCertain = (side: Side | undefined, condition: Condition): boolean =>
	side === 'max' || (side === undefined && condition.side === 'min');

/**
 * One step of the state machine of a rule in a room: from its condition and a value to the next condition, and whether
 * an alert opens or is resolved. A value that is stale, or older than one already evaluated, changes nothing; nor does
 * an incomplete sum, unless the complete one must be beyond the limit, or back within it, as well.
 * @param earlier what the value's sensor said before it: if that was stale when it came, as in a backlog, it was not
 * evaluated, and may still be the beginning of the breach
 */
export function decide(
	condition: Condition,
	measured: Pick<LatestValue, 'value' | 'observedAt' | 'freshFor' | 'stale' | 'combined'>,
	rule: Pick<Rule, 'metric' | 'max' | 'min' | 'dwellMs'> & Partial<Pick<Rule, 'neverNegative'>>,
	earlier?: Pick<LatestValue, 'value' | 'observedAt'>,
): { condition: Condition; event?: 'open' | 'resolve' } {
	const { value, observedAt, freshFor, stale } = measured;
	if (stale || observedAt < condition.seenAt) return { condition };
	const side = crossed(rule, value);
	if (isIncomplete(measured) && !(rule.neverNegative && isCertain(side, condition))) return { condition };
	if (condition.phase === 'open') {
		if (hasEnded(rule, condition.side, value))
			return { condition: { ...ALL_CLEAR, seenAt: observedAt }, event: 'resolve' };
		return { condition: { ...condition, side: side ?? condition.side, seenAt: observedAt } };
	}
	if (!side) return { condition: { ...ALL_CLEAR, seenAt: observedAt } };
	// A time without a current value cannot count as breach.
	const held = holdMs(rule.metric, freshFor);
	const unbroken = condition.since !== null && observedAt - condition.seenAt <= held;
	const begun =
		earlier &&
		earlier.observedAt >= Math.max(condition.seenAt, observedAt - held) &&
		crossed(rule, earlier.value) === side
			? earlier.observedAt
			: observedAt;
	const since = unbroken ? condition.since! : begun;
	const breach = { ...condition, side, since, seenAt: observedAt };
	if (observedAt - since < rule.dwellMs) return { condition: { ...breach, phase: 'breach' } };
	return { condition: { ...breach, phase: 'open' }, event: 'open' };
}
