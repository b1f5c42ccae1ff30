/** The state machine of one rule in one room. */
import { holdMs, isIncomplete, type LatestValue } from '@crowdvision/contracts';
import { crossed, hasEnded } from './bounds.ts';
import { ALL_CLEAR, type Condition, type Side } from './condition.ts';
import type { Rule } from './rules-of.ts';

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
