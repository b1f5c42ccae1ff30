import {
	type Alert,
	type CombinedView,
	type MetricLookup,
	metricName,
	quantity,
	type RetainedBuilding,
	type RetainedRoom,
} from '@crowdvision/contracts';
import { metricOf, type Rule, type RuleKind, type Side } from '@crowdvision/rules';

/** The content of an alert. */
export interface Finding {
	id: string;
	state: 'open' | 'resolved';
	building: Pick<RetainedBuilding, 'id' | 'domains'>;
	room: Pick<RetainedRoom, 'id' | 'name' | 'generation'>;
	rule: Pick<Rule, 'kind' | 'severity'>;
	/** Absent when the limit was removed while the alert was open. */
	bound?: { limit: number; side: Side };
	/** Absent when the room has no value. */
	value?: number;
	/** Where the room says how its counters are combined. */
	combined?: CombinedView;
	/** Epoch ms. */
	observedAt: number;
}

/** The alert that a rule opens or resolves in a room, with an English message for people. */
export function alertOf(
	{ id, state, building, room, rule: { kind, severity }, bound, value, combined, observedAt }: Finding,
	catalog: MetricLookup,
): Alert {
	return {
		id,
		domainNames: building.domains,
		buildingId: building.id,
		roomId: room.id,
		kind,
		severity,
		state,
		...(value !== undefined && { value }),
		...(bound && { limit: bound.limit, side: bound.side }),
		...(combined && { combined }),
		observedAt,
		message: `${room.name}: ${messageOf(kind, state, { bound, value, combined }, catalog)}`,
		...(room.generation !== undefined && { generation: room.generation }),
	};
}

function messageOf(
	kind: RuleKind,
	state: 'open' | 'resolved',
	{ bound, value, combined }: Pick<Finding, 'bound' | 'value' | 'combined'>,
	catalog: MetricLookup,
): string {
	const metric = metricOf(kind);
	const people = metric === 'peopleCount';
	const name = people ? '' : `${metricName(metric, catalog)} `;
	const how = combined ? howCombined(combined) : '';
	const measured = value === undefined ? name.trimEnd() : `${name}${quantity(metric, value, 'en', catalog)}${how}`;
	const plain = people && bound?.side !== 'rise';
	const limit = bound && (plain ? bound.limit.toLocaleString('en') : quantity(metric, bound.limit, 'en', catalog));
	return [measured, outcomeOf(kind, state, bound?.side, limit)].filter((part) => part !== '').join(', ');
}

/** How several counters became the value, as a remark behind it. */
function howCombined({ rule, counters, silent }: CombinedView): string {
	if (silent) return ` (incomplete: ${silent.length} of ${counters} counters silent)`;
	if (counters === 1) return '';
	return { sum: ` (sum of ${counters} counters)`, max: ` (highest of ${counters} counters)`, last: '' }[rule];
}

function outcomeOf(
	kind: RuleKind,
	state: 'open' | 'resolved',
	side: Side | undefined,
	limit: string | undefined,
): string {
	if (limit === undefined) return 'no longer limited';
	if (side === 'rise') return `${state === 'open' ? 'rising' : 'no longer rising'} by more than ${limit} a minute`;
	if (state === 'resolved') return `back within the limit of ${limit}`;
	if (kind === 'occupancy') return `more than the ${limit} allowed`;
	return side === 'min' ? `below the limit of ${limit}` : `above the limit of ${limit}`;
}
