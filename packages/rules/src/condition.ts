/** The state of a rule in a room, as it is stored between two values. */
import type { Alert } from '@crowdvision/contracts';

/** The metric that a rule limits, or `occupancy` for the room's capacity. */
export type RuleKind = Exclude<Alert['kind'], 'manual'>;

export type Severity = Alert['severity'];

/** What is wrong with a value: it is above `max`, below `min`, or rises too fast. */
export type Side = 'max' | 'min' | 'rise';

/**
 * The state of a rule in a room: `clear` within its limits; `breach` beyond them, but not for long enough yet; `open`
 * while there is an alert. Times are epoch ms.
 */
export interface Condition {
	phase: 'clear' | 'breach' | 'open';
	/** When the breach began; null when clear. */
	since: number | null;
	/** The limit that was last exceeded; null when clear. */
	side: Side | null;
	/** The time of the newest observation that was evaluated. */
	seenAt: number;
	/** The alert, while `phase` is `open`. */
	alertId: string | null;
	/** Of the alert, while `phase` is `open`; absent in a condition of an earlier version. */
	severity?: Severity;
	/** The values of the last minute, where the rule limits how fast they rise: times and values, oldest first. */
	recent?: readonly [at: number, value: number][];
}

/** The condition of a rule that has seen no value yet. */
export const ALL_CLEAR: Condition = { phase: 'clear', since: null, side: null, seenAt: 0, alertId: null };
