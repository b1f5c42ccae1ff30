import {
	type Alert,
	freshMs,
	type LatestValue,
	type Limit,
	METRIC_KEYS,
	METRICS,
	type MetricKey,
	type RetainedRoom,
} from '@crowdvision/contracts';
import type { Condition, RuleKind, Side } from '../store.ts';

/** One side of a limit. */
export interface Bound {
	/** Beyond it is a breach. */
	limit: number;
	/** At it, or further inside, the breach is over; in between everything stays as it is. */
	clearAt: number;
}

/** What one metric of one room may be. */
export interface Rule {
	kind: RuleKind;
	severity: Alert['severity'];
	metric: MetricKey;
	max?: Bound;
	min?: Bound;
	/** How long a breach must last before there is an alert. */
	dwellMs: number;
}

export const ALL_CLEAR: Condition = { phase: 'clear', since: null, side: null, seenAt: 0, alertId: null };

/** The clear level is 5 % inside the limit. */
const CLEAR_DIVISOR = 20;
/** Between two limits at least half of the way is inside both clear levels. */
const MOST_OF_SPAN = 1 / 4;

/**
 * The rules of a room: never more people than its capacity, and what its limits say. `dwellMs` holds where a limit says
 * nothing of it.
 */
export function rulesOf({ capacity, limits = {} }: Pick<RetainedRoom, 'capacity' | 'limits'>, dwellMs: number): Rule[] {
	const rules: Rule[] = [
		{
			kind: 'occupancy',
			severity: 'critical',
			metric: 'peopleCount',
			...boundsOf('peopleCount', { max: capacity }),
			dwellMs,
		},
	];
	for (const metric of METRIC_KEYS) {
		const limit = limits[metric];
		if (!limit) continue;
		const { severity = 'warning', dwellSeconds } = limit;
		rules.push({
			kind: metric,
			severity,
			metric,
			...boundsOf(metric, limit),
			dwellMs: dwellSeconds === undefined ? dwellMs : dwellSeconds * 1000,
		});
	}
	return rules;
}

/** The metric that alerts of a kind are about. */
export const metricOf = (kind: RuleKind): MetricKey => (kind === 'occupancy' ? 'peopleCount' : kind);

/**
 * Limits with their clear levels: 5 % of the limit's magnitude inside, one step of the metric's last digit at least
 * (near 0, five per cent are nothing), and never where the metric cannot get to.
 */
function boundsOf(metric: MetricKey, { max, min }: Pick<Limit, 'max' | 'min'>): Pick<Rule, 'max' | 'min'> {
	const { decimals, min: lowest, max: highest } = METRICS[metric];
	const span = max === undefined || min === undefined ? Number.POSITIVE_INFINITY : Math.max(0, max - min);
	const margin = (limit: number) =>
		Math.min(Math.max(Math.abs(limit) / CLEAR_DIVISOR, 10 ** -decimals), span * MOST_OF_SPAN);
	return {
		...(max !== undefined && { max: { limit: max, clearAt: Math.max(max - margin(max), lowest) } }),
		...(min !== undefined && { min: { limit: min, clearAt: Math.min(min + margin(min), highest) } }),
	};
}

/** The side on which a value is outside its limits. */
function crossed({ max, min }: Pick<Rule, 'max' | 'min'>, value: number): Side | undefined {
	if (max && value > max.limit) return 'max';
	return min && value < min.limit ? 'min' : undefined;
}

/**
 * Whether a breach on `side` is over: back at the clear level of that side, where it still has one, and not out on the
 * other.
 */
function isOver(rule: Pick<Rule, 'max' | 'min'>, side: Side | null, value: number): boolean {
	if (crossed(rule, value)) return false;
	if (side === 'max') return !rule.max || value <= rule.max.clearAt;
	return !rule.min || value >= rule.min.clearAt;
}

/**
 * One step of the state machine. What is stale, or older than what was seen already, changes nothing: an alert neither
 * opens nor clears on it.
 */
export function decide(
	condition: Condition,
	{ value, observedAt, stale }: Pick<LatestValue, 'value' | 'observedAt' | 'stale'>,
	rule: Pick<Rule, 'metric' | 'max' | 'min' | 'dwellMs'>,
): { condition: Condition; event?: 'open' | 'resolve' } {
	if (stale || observedAt < condition.seenAt) return { condition };
	const side = crossed(rule, value);
	if (condition.phase === 'open') {
		if (isOver(rule, condition.side, value))
			return { condition: { ...ALL_CLEAR, seenAt: observedAt }, event: 'resolve' };
		return { condition: { ...condition, side: side ?? condition.side, seenAt: observedAt } };
	}
	if (!side) return { condition: { ...ALL_CLEAR, seenAt: observedAt } };
	// Of a time in which nothing current was known, nobody can say that it was a breach.
	const unbroken = condition.since !== null && observedAt - condition.seenAt <= freshMs(rule.metric);
	const since = unbroken ? condition.since! : observedAt;
	const breach = { ...condition, side, since, seenAt: observedAt };
	if (observedAt - since < rule.dwellMs) return { condition: { ...breach, phase: 'breach' } };
	return { condition: { ...breach, phase: 'open' }, event: 'open' };
}
