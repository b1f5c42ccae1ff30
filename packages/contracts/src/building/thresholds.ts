/** The limits of a building and its rooms, above or below which an alert opens. */
import Type, { type Static } from 'typebox';
import { SEVERITIES } from '../alert/alert.ts';
import { BUILT_IN_METRICS, type MetricLookup } from '../reading/metric-catalog.ts';
import { METRIC_KEYS, METRICS, type MetricDefinition } from '../reading/metrics.ts';
import { escapeKey, type Problem, validator } from '../validator.ts';
import type { Room } from './building.ts';

/** How long a limit may have to be exceeded before an alert opens, in seconds. */
const MAX_DWELL_SECONDS = 24 * 3600;

const limitOf = (min: number, max: number) =>
	Type.Object(
		{
			min: Type.Optional(
				Type.Number({ minimum: min, maximum: max, description: "alert below this, in the metric's unit" }),
			),
			max: Type.Optional(Type.Number({ minimum: min, maximum: max, description: 'alert above this' })),
			severity: Type.Optional(Type.Enum([...SEVERITIES])),
			dwellSeconds: Type.Optional(
				Type.Number({
					minimum: 0,
					maximum: MAX_DWELL_SECONDS,
					description: 'how long the limit must be exceeded without a break; default 0',
				}),
			),
		},
		{ additionalProperties: false, minProperties: 1 },
	);

/** The limits of one metric, and how an alert reports that one is exceeded. */
export type Limit = Static<ReturnType<typeof limitOf>>;

/** Bound of limits of configured metrics, whose range only their definition says. */
const MOST = 1e15;

/** Limits by metric, each within the metric's hard range. */
export const ThresholdSet = Type.Object(
	Object.fromEntries(
		METRIC_KEYS.map((key) => [key, Type.Optional(limitOf(METRICS[key].min, METRICS[key].max))]),
	) as Record<string, ReturnType<typeof Type.Optional<ReturnType<typeof limitOf>>>>,
	{ additionalProperties: limitOf(-MOST, MOST), description: 'by metric of the catalog' },
);
export type ThresholdSet = Partial<Record<string, Limit>>;

/** `GET/PUT /twin/buildings/{id}/thresholds`: one set for the building, and rooms that have their own. */
export const Thresholds = Type.Object(
	{ building: ThresholdSet, rooms: Type.Record(Type.String(), ThresholdSet) },
	{ additionalProperties: false },
);
export interface Thresholds {
	building: ThresholdSet;
	/** By room id. Such a set replaces the building's set, it is not merged with it. */
	rooms: Record<string, ThresholdSet>;
}
const thresholds = validator(Thresholds);

/**
 * All mistakes in a building's thresholds, including a `min` that is not below `max` and rooms outside `roomIds`. Empty
 * if they are valid.
 */
export function thresholdsProblems(
	value: unknown,
	roomIds: ReadonlySet<string>,
	catalog: MetricLookup = BUILT_IN_METRICS,
): Problem[] {
	const problems = thresholds.problems(value);
	if (problems.length > 0 || !thresholds.check(value)) return problems;
	const { building, rooms } = value as Thresholds;
	problems.push(...thresholdSetProblems(building, '/building', catalog));
	for (const [roomId, set] of Object.entries(rooms)) {
		const path = `/rooms/${escapeKey(roomId)}`;
		if (!roomIds.has(roomId)) problems.push({ path, message: 'is not a room of this building' });
		problems.push(...thresholdSetProblems(set, path, catalog));
	}
	return problems;
}

/**
 * The mistakes that a schema cannot express in a set at `path`: a metric that is not of the catalog, a limit outside
 * the metric's range, a `min` that is not below `max`.
 */
export function thresholdSetProblems(set: ThresholdSet, path: string, catalog: MetricLookup): Problem[] {
	return Object.entries(set).flatMap(([metric, limit]) => {
		const at = `${path}/${escapeKey(metric)}`;
		const definition = catalog.definition(metric);
		if (!definition) return [{ path: at, message: `is not known here; known are ${catalog.keys().join(', ')}` }];
		return limitProblems(limit ?? {}, definition, at);
	});
}

function limitProblems({ min, max }: Limit, { min: lowest, max: highest }: MetricDefinition, path: string): Problem[] {
	const outside = Object.entries({ min, max }).filter(
		([, limit]) => limit !== undefined && (limit < lowest || limit > highest),
	);
	const problems = outside.map(([side]) => ({
		path: `${path}/${side}`,
		message: `must be from ${lowest} to ${highest}`,
	}));
	if (min !== undefined && max !== undefined && min >= max)
		problems.push({ path: `${path}/min`, message: `must be below max, which is ${max}` });
	return problems;
}

/**
 * The limits that apply in a room. Its own set replaces the building's. Without a limit for temperature in that set the
 * room's `maxTemperature` applies.
 */
export function limitsIn({ building, rooms }: Thresholds, room: Pick<Room, 'id' | 'maxTemperature'>): ThresholdSet {
	const set = (Object.hasOwn(rooms, room.id) && rooms[room.id]) || building;
	if (set.temperature || room.maxTemperature === undefined) return set;
	return { ...set, temperature: { max: room.maxTemperature } };
}
