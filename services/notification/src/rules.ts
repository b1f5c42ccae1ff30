import type { Alert, LatestValue, MetricKey, RetainedBuilding } from '@crowdvision/contracts';

/** One limit of one room. */
export interface Rule {
	kind: Exclude<Alert['kind'], 'manual'>;
	severity: Alert['severity'];
	metric: MetricKey;
	/** Above it is a breach. */
	limit: number;
	/** At or below it the breach is over; in between everything stays as it is. */
	clearAt: number;
	/** How long a breach must last before there is an alert. */
	dwellMs: number;
}

/** Where a rule stands in a room: all is well; above the limit, but not for long enough yet; an alert is open. */
export interface Condition {
	phase: 'clear' | 'breach' | 'open';
	/** When the breach began. */
	since: number | null;
	/** Time of the newest observation that was looked at. */
	seenAt: number;
	/** The alert, while one is open. */
	alertId: string | null;
}

export const ALL_CLEAR: Condition = { phase: 'clear', since: null, seenAt: 0, alertId: null };

/** How far inside the limit a value must come back: 5 %. */
const CLEAR_SHARE = 0.05;

export type RetainedRoom = RetainedBuilding['rooms'][number];

/** The rules of a room: never more people than its capacity, and never hotter than its maximum where it has one. */
export function rulesOf(room: RetainedRoom, dwellMs: number): Rule[] {
	const { capacity, maxTemperature } = room;
	const rules: Rule[] = [
		{ kind: 'occupancy', severity: 'critical', metric: 'peopleCount', limit: capacity, clearAt: Math.floor(capacity * (1 - CLEAR_SHARE)), dwellMs },
	];
	if (maxTemperature !== undefined) {
		const clearAt = maxTemperature - Math.abs(maxTemperature) * CLEAR_SHARE;
		rules.push({ kind: 'temperature', severity: 'warning', metric: 'temperature', limit: maxTemperature, clearAt, dwellMs });
	}
	return rules;
}

/** The metrics some rule looks at. */
export const WATCHED_METRICS: readonly MetricKey[] = ['peopleCount', 'temperature'];

/**
 * One step of the state machine. What is stale, or older than what was seen already, changes nothing: an alert neither opens nor
 * clears on it.
 */
export function decide(
	condition: Condition,
	{ value, observedAt, stale }: Pick<LatestValue, 'value' | 'observedAt' | 'stale'>,
	rule: Pick<Rule, 'limit' | 'clearAt' | 'dwellMs'>,
): { condition: Condition; event?: 'open' | 'resolve' } {
	if (stale || observedAt < condition.seenAt) return { condition };
	const seen = { ...condition, seenAt: observedAt };
	if (condition.phase === 'open') {
		if (value > rule.clearAt) return { condition: seen };
		return { condition: { ...ALL_CLEAR, seenAt: observedAt }, event: 'resolve' };
	}
	if (value <= rule.limit) return { condition: { ...ALL_CLEAR, seenAt: observedAt } };
	const since = condition.since ?? observedAt;
	if (observedAt - since < rule.dwellMs) return { condition: { ...seen, phase: 'breach', since } };
	return { condition: { ...seen, phase: 'open', since }, event: 'open' };
}
