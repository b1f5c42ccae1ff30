/** How the sensors of a room become one value of a metric, where the room says so. */
import Type, { type Static } from 'typebox';
import { METRIC_KEY, type MetricLookup } from './metric-catalog.ts';
import type { MetricDefinition } from './metrics.ts';
import { SensorId } from './reading.ts';

/**
 * `sum`: each sees a part of the room · `last`: the newest value · `max`: the highest of several that see all of it.
 */
const ROOM_RULES = ['sum', 'last', 'max'] as const;
const Rule = Type.Enum([...ROOM_RULES]);

/** The counters of one metric of a room, and how they become its value. */
const Counters = Type.Object(
	{
		rule: Rule,
		sensors: Type.Array(SensorId, {
			minItems: 1,
			maxItems: 100,
			uniqueItems: true,
			description: 'only these count, and one of which nothing is heard is missing; default: all that have sent',
		}),
	},
	{ additionalProperties: false },
);

/** How one metric of a room is combined. */
export const MetricCombine = Type.Union([Rule, Counters]);

/** `combine` of a room, by metric; a metric that is not named is combined as the catalog says. */
export const RoomCombine = Type.Record(Type.String({ pattern: METRIC_KEY }), MetricCombine, {
	additionalProperties: false,
	description:
		'how several sensors of the room become one value, by metric: sum, last or max; or ' +
		'{"rule": "sum", "sensors": […]} to name the sensors that count',
});
export type RoomCombine = Static<typeof RoomCombine>;

/** How a metric of a room is combined. */
export interface Combination {
	rule: MetricDefinition['combine'];
	/** The room says so, not the catalog: its sensors are counters, see `combineSensors`. */
	isOfRoom?: true;
	/** The ids of the sensors that count; without it all of them. */
	sensors?: readonly string[];
}

/** How a metric of a room is combined: as the room says, else as the catalog says. */
export function combinationOf(
	metric: string,
	combine: RoomCombine | undefined,
	catalog: Pick<MetricLookup, 'describe'>,
): Combination {
	const own = combine && Object.hasOwn(combine, metric) ? combine[metric] : undefined;
	if (own === undefined) return { rule: catalog.describe(metric).combine };
	if (typeof own === 'string') return { rule: own, isOfRoom: true };
	return { rule: own.rule, sensors: own.sensors, isOfRoom: true };
}

/** What combining needs of a sensor's value. */
export interface Combinable {
	sensorId: string;
	value: number;
	observedAt: number;
	/** For a count made of crossings: the true count is between these. */
	low?: number;
	high?: number;
	/** It is the upper limit, of which its sensor sent a little more. */
	clipped?: true;
}

/** The counter of all doors of a room: each of their readings is the count of the room, not of the door. */
const DOORS = 'the doors';

/**
 * The counter that a value is of: its sensor. The doors of a room are one counter, together with the corrections and
 * zeroings of their count, which the gateway sends under ids of their own.
 */
export const counterOf = ({ sensorId, low }: Pick<Combinable, 'sensorId' | 'low'>): string =>
	low === undefined ? sensorId : DOORS;

/** Several values as one. */
export interface Combined<S> {
	value: number;
	/** Bounds of the true value, where one of the values is a count made of crossings. */
	low?: number;
	high?: number;
	/** The sensor that the value quotes; of a sum or mean the one observed last. */
	quoted: S;
	/** A value that it is made of is clipped. */
	clipped?: true;
}

/**
 * Combines values that apply at the same time. Of the values of one counter, only the newest counts. Undefined without
 * a value. The live view and the history both use this, so that they agree.
 * @param counter the counter of a sensor
 */
export function combineSensors<S extends Combinable>(
	{ rule, isOfRoom }: Combination,
	values: readonly S[],
	counter: (sensor: S) => string = counterOf,
): Combined<S> | undefined {
	const sensors = isOfRoom ? newestOfEach(values, counter) : values;
	const [first] = sensors;
	if (!first) return undefined;
	const quoted = sensors.reduce((best, sensor) => (isQuotedBefore(rule, sensor, best) ? sensor : best), first);
	if (rule === 'max' || rule === 'last') {
		const { value, low, high, clipped } = quoted;
		const bounds = rule === 'last' && low !== undefined && high !== undefined && { low, high };
		return { value, ...bounds, quoted, ...(clipped && { clipped }) };
	}
	const mark = sensors.some(({ clipped }) => clipped) && { clipped: true as const };
	const sum = (read: (sensor: S) => number) => sensors.reduce((total, sensor) => total + read(sensor), 0);
	const total = sum(({ value }) => value);
	if (rule === 'mean') return { value: total / sensors.length, quoted, ...mark };
	if (!isOfRoom || sensors.every(({ low }) => low === undefined)) return { value: total, quoted, ...mark };
	return {
		value: total,
		low: sum(({ low, value }) => low ?? value),
		high: sum(({ high, value }) => high ?? value),
		quoted,
		...mark,
	};
}

function newestOfEach<S extends Combinable>(values: readonly S[], counter: (sensor: S) => string): S[] {
	const newest = new Map<string, S>();
	for (const sensor of values) {
		const key = counter(sensor);
		const before = newest.get(key);
		if (!before || isQuotedBefore('last', sensor, before)) newest.set(key, sensor);
	}
	return [...newest.values()];
}

/**
 * Which of two sensors a room quotes: the higher value for `max`, else the one observed last; at the same moment the
 * greater id, so that every process quotes the same.
 */
function isQuotedBefore(rule: Combination['rule'], a: Combinable, b: Combinable): boolean {
	if (rule === 'max' && a.value !== b.value) return a.value > b.value;
	if (a.observedAt !== b.observedAt) return a.observedAt > b.observedAt;
	return a.sensorId > b.sensorId;
}

/**
 * The counters of a room, each with the sensor that sent last; undefined for one that is named and has never sent.
 * @param sensors every sensor of the room of which a value of the metric is known
 */
export function countersOf<S extends Combinable>(
	{ sensors: named }: Combination,
	sensors: readonly S[],
	counter: (sensor: S) => string = counterOf,
): Map<string, S | undefined> {
	const counters = new Map<string, S | undefined>();
	if (named) {
		const known = new Map(sensors.map((sensor) => [sensor.sensorId, counter(sensor)]));
		for (const id of named) counters.set(known.get(id) ?? id, undefined);
	}
	for (const sensor of sensors) {
		const key = counter(sensor);
		if (named && !counters.has(key)) continue;
		const before = counters.get(key);
		if (!before || isQuotedBefore('last', sensor, before)) counters.set(key, sensor);
	}
	return counters;
}

/** That a room's value is combined as the room says, and whether all counters are in it. */
export const CombinedView = Type.Object(
	{
		rule: Rule,
		counters: Type.Integer({ minimum: 1, description: 'number of counters; all doors of a room are one' }),
		silent: Type.Optional(
			Type.Array(Type.String(), {
				minItems: 1,
				description: 'of a sum: the sensors of the counters that are not in it, as they are silent or offline',
			}),
		),
	},
	{
		description:
			'where the room says how its counters are combined; with `silent` the sum is incomplete: a least value',
	},
);
export type CombinedView = Static<typeof CombinedView>;

/** Whether a room's value is a sum without some of its counters: the true value is at least as high. */
export const isIncomplete = (value: { combined?: CombinedView } | undefined): boolean =>
	value?.combined?.silent !== undefined;

/** The mistakes in `combine` of a room at `path` that the schema cannot express. */
export function combineProblems(
	combine: RoomCombine,
	path: string,
	catalog: Pick<MetricLookup, 'definition' | 'keys'>,
): { path: string; message: string }[] {
	return Object.keys(combine).flatMap((metric) => {
		const definition = catalog.definition(metric);
		const at = `${path}/${metric}`;
		if (!definition) return [{ path: at, message: `is not known here; known are ${catalog.keys().join(', ')}` }];
		if (definition.kind !== 'flow') return [];
		return [{ path: at, message: 'counts events since the last message, which are always added up' }];
	});
}
