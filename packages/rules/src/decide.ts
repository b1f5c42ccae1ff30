/** The state machine of one rule in one room. */
import { holdMs, isIncomplete, type LatestValue } from '@crowdvision/contracts';
import { crossed, hasEnded, isCritical } from './bounds.ts';
import { ALL_CLEAR, type Condition, type Severity, type Side } from './condition.ts';
import { remembered, riseOf } from './rise.ts';
import type { Rule } from './rules-of.ts';

/** A value to decide on. */
type Measured = Pick<LatestValue, 'value' | 'observedAt' | 'freshFor' | 'stale' | 'combined'>;
/** The part of a rule that decides. */
type Deciding = Pick<Rule, 'metric' | 'max' | 'min' | 'rise' | 'dwellMs'> &
	Partial<Pick<Rule, 'neverNegative' | 'severity'>>;

export interface Decision {
	condition: Condition;
	/** What happens to the alert: `severity` where it became more or less severe, as the condition says. */
	event?: 'open' | 'resolve' | 'severity';
}

/** Whether what a least value shows also holds for every higher one: it is too high, or no longer too low. */
const isCertain = (side: Side | undefined, condition: Condition): boolean =>
	side === 'max' || (side === undefined && condition.side === 'min');

/**
 * One step of the state machine of a rule in a room: from its condition and a value to the next condition, and whether
 * an alert opens, is resolved, or changes its severity. A value that is stale, or older than one already evaluated,
 * changes nothing; nor does an incomplete sum, unless the complete one must be beyond the limit, or back within it, as
 * well.
 * @param earlier what the value's sensor said before it: if that was stale when it came, as in a backlog, it was not
 * evaluated, and may still be the beginning of the breach
 */
export function decide(
	condition: Condition,
	measured: Measured,
	rule: Deciding,
	earlier?: Pick<LatestValue, 'value' | 'observedAt'>,
): Decision {
	const { value, observedAt, freshFor, stale } = measured;
	if (stale || observedAt < condition.seenAt) return { condition };
	const held = holdMs(rule.metric, freshFor);
	// A time without a current value says nothing of how fast it rose, and an incomplete sum lacks what rises.
	const known = rule.rise && observedAt - condition.seenAt <= held ? (condition.recent ?? []) : [];
	const complete = !isIncomplete(measured);
	const rise = rule.rise && complete ? riseOf(known, observedAt, value) : 0;
	const side = crossed(rule, value, rise);
	if (!complete && !(rule.neverNegative && isCertain(side, condition))) return { condition };
	const seen = {
		seenAt: observedAt,
		...(rule.rise && { recent: complete ? remembered(known, observedAt, value) : known }),
	};
	if (condition.phase === 'open') {
		if (hasEnded(rule, condition.side, value, rise)) return { condition: { ...ALL_CLEAR, ...seen }, event: 'resolve' };
		const severity = severityOf(rule, value, condition.severity);
		const next = { ...condition, side: side ?? condition.side, ...severity, ...seen };
		const changed = condition.severity !== undefined && next.severity !== condition.severity;
		return { condition: next, ...(changed && { event: 'severity' }) };
	}
	if (!side) return { condition: { ...ALL_CLEAR, ...seen } };
	// A time without a current value cannot count as breach.
	const unbroken = condition.since !== null && observedAt - condition.seenAt <= held;
	const begun =
		earlier &&
		earlier.observedAt >= Math.max(condition.seenAt, observedAt - held) &&
		crossed(rule, earlier.value) === side
			? earlier.observedAt
			: observedAt;
	const since = unbroken ? condition.since! : begun;
	const breach = { ...condition, side, since, ...seen };
	if (observedAt - since < rule.dwellMs) return { condition: { ...breach, phase: 'breach' } };
	return { condition: { ...breach, phase: 'open', ...severityOf(rule, value) }, event: 'open' };
}

/** The severity of an open alert at a value, as a field of its condition. */
function severityOf(rule: Deciding, value: number, before?: Severity): { severity?: Severity } {
	if (rule.severity === undefined) return {};
	return { severity: isCritical(rule, value, before === 'critical') ? 'critical' : rule.severity };
}
