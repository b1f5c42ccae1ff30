/** The rules of a room, as its capacity and its limits make them. */
import type { Alert, MetricLookup, RetainedRoom } from '@crowdvision/contracts';
import { type Bounds, boundsOf } from './bounds.ts';
import type { RuleKind } from './condition.ts';

/** The limits of one metric in one room. */
export interface Rule extends Bounds {
	kind: RuleKind;
	severity: Alert['severity'];
	metric: string;
	/** How long a breach must last before an alert opens, in ms. */
	dwellMs: number;
	/** Values are never below 0, so that a sum that lacks some of its counters is a least value. */
	neverNegative: boolean;
}

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
