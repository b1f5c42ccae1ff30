import Type, { type Static } from 'typebox';
import { SEVERITIES } from '../alert/alert.ts';
import { METRIC_KEYS, METRICS } from '../reading/metrics.ts';
import { escapeKey, type Problem, validator } from '../validator.ts';
import type { Room } from './building.ts';

/** The longest a limit may have to be exceeded before anybody is called. */
const LONGEST_DWELL_S = 24 * 3600;

const limitOf = (min: number, max: number) =>
	Type.Object(
		{
			min: Type.Optional(
				Type.Number({ minimum: min, maximum: max, description: "alert below this, in the metric's unit" }),
			),
			max: Type.Optional(Type.Number({ minimum: min, maximum: max, description: 'alert above this' })),
			severity: Type.Optional(Type.Enum([...SEVERITIES])),
			dwellSeconds: Type.Optional(
				Type.Number({ minimum: 0, maximum: LONGEST_DWELL_S, description: 'for so long without a break; default 0' }),
			),
		},
		{ additionalProperties: false, minProperties: 1 },
	);

/** What a metric may be, and who is called how when it is not. */
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
	/** By room id. Such a set stands in the place of the building's, and is not merged with it. */
	rooms: Record<string, ThresholdSet>;
}
const thresholds = validator(Thresholds);

/**
 * Every mistake in a building's thresholds, `min` not below `max` and rooms that are not of `roomIds` included. Empty
 * when they are valid.
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

/** What a schema cannot say of a valid set that stands at `path`: `min` lies below `max`. */
export function thresholdSetProblems(set: ThresholdSet, path: string): Problem[] {
	return Object.entries(set).flatMap(([metric, { min, max }]) =>
		min !== undefined && max !== undefined && min >= max
			? [{ path: `${path}/${metric}/min`, message: `must be below max, which is ${max}` }]
			: [],
	);
}

/**
 * The limits that hold in a room. Its own set replaces the building's; the `maxTemperature` of the building JSON counts
 * where that set says nothing of temperature.
 */
export function limitsIn({ building, rooms }: Thresholds, room: Pick<Room, 'id' | 'maxTemperature'>): ThresholdSet {
	const set = (Object.hasOwn(rooms, room.id) && rooms[room.id]) || building;
	if (set.temperature || room.maxTemperature === undefined) return set;
	return { ...set, temperature: { max: room.maxTemperature } };
}
