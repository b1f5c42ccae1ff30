/** The limits of a building and its rooms, above or below which an alert opens. */
import Type, { type Static } from 'typebox';
import { SEVERITIES } from '../alert/alert.ts';
import { METRIC_KEYS, METRICS } from '../reading/metrics.ts';
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

/** Limits by metric, each within the metric's hard range. */
export const ThresholdSet = Type.Object(
	Object.fromEntries(
		METRIC_KEYS.map((key) => [key, Type.Optional(limitOf(METRICS[key].min, METRICS[key].max))]),
	) as Record<string, ReturnType<typeof Type.Optional<ReturnType<typeof limitOf>>>>,
	{ additionalProperties: false },
);
export type ThresholdSet = { [Metric in (typeof METRIC_KEYS)[number]]?: Limit };

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
export function thresholdsProblems(value: unknown, roomIds: ReadonlySet<string>): Problem[] {
	const problems = thresholds.problems(value);
	if (problems.length > 0 || !thresholds.check(value)) return problems;
	const { building, rooms } = value as Thresholds;
	problems.push(...thresholdSetProblems(building, '/building'));
	for (const [roomId, set] of Object.entries(rooms)) {
		const path = `/rooms/${escapeKey(roomId)}`;
		if (!roomIds.has(roomId)) problems.push({ path, message: 'is not a room of this building' });
		problems.push(...thresholdSetProblems(set, path));
	}
	return problems;
}

/** The mistakes that a schema cannot express in a set at `path`: a `min` that is not below `max`. */
export function thresholdSetProblems(set: ThresholdSet, path: string): Problem[] {
	return Object.entries(set).flatMap(([metric, { min, max }]) =>
		min !== undefined && max !== undefined && min >= max
			? [{ path: `${path}/${metric}/min`, message: `must be below max, which is ${max}` }]
			: [],
	);
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
