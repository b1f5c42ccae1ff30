/** The rules of a room, as its capacity and its limits make them. */
import { type Limit, type MetricLookup, OCCUPANCY, type RetainedRoom } from '@crowdvision/contracts';
import { type Bounds, boundsOf } from './bounds.ts';
import type { RuleKind, Severity } from './condition.ts';

/** The limits of one metric in one room. */
export interface Rule extends Bounds {
	kind: RuleKind;
	/** Of its alerts, except of values beyond a critical level. */
	severity: Severity;
	metric: string;
	/** How long a breach must last before an alert opens, in ms. */
	dwellMs: number;
	/** Values are never below 0, so that a sum that lacks some of its counters is a least value. */
	neverNegative: boolean;
}

const PEOPLE = 'peopleCount';

/**
 * The rules of a room: at most as many people as its capacity, and its limits.
 * @param dwellMs dwell time of limits that do not set one
 */
export function rulesOf(
	{ capacity, limits = {} }: Pick<RetainedRoom, 'capacity' | 'limits'>,
	dwellMs: number,
	catalog: MetricLookup,
): Rule[] {
	const ruleOf = (kind: RuleKind, metric: string, limit: Limit, severity: Severity): Rule => {
		const definition = catalog.describe(metric);
		return {
			kind,
			severity: limit.severity ?? severity,
			metric,
			...boundsOf(definition, limit),
			dwellMs: limit.dwellSeconds === undefined ? dwellMs : limit.dwellSeconds * 1000,
			neverNegative: definition.min >= 0,
		};
	};
	const { [OCCUPANCY]: occupancy, ...others } = limits;
	const rules = [ruleOf(OCCUPANCY, PEOPLE, { ...occupancy, max: capacity }, 'critical')];
	// In the order of the catalog; a limit also holds for a metric whose definition has not been received yet.
	for (const metric of new Set([...catalog.allKeys(), ...Object.keys(others)])) {
		const limit = others[metric];
		if (limit) rules.push(ruleOf(metric, metric, limit, 'warning'));
	}
	return rules;
}

/** The metric that rules and alerts of a kind concern. */
export const metricOf = (kind: RuleKind): string => (kind === OCCUPANCY ? PEOPLE : kind);
