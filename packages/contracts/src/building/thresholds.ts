/** The limits of a building and its rooms, above or below which an alert opens. */
import Type, { type Static } from 'typebox';
import { SEVERITIES } from '../alert/alert.ts';
import { BUILT_IN_METRICS, type MetricLookup } from '../reading/metric-catalog.ts';
import { METRIC_KEYS, METRICS, type MetricDefinition } from '../reading/metrics.ts';
import { escapeKey, type Problem, validator } from '../validator.ts';
import type { Room } from './building.ts';

/** How long a limit may have to be exceeded before an alert opens, in seconds. */
const MAX_DWELL_SECONDS = 24 * 3600;

const severity = Type.Optional(
	Type.Enum([...SEVERITIES], { description: 'of its alerts; default warning, of occupancy critical' }),
);
const dwellSeconds = Type.Optional(
	Type.Number({
		minimum: 0,
		maximum: MAX_DWELL_SECONDS,
		description: 'how long the limit must be exceeded without a break; default 0',
	}),
);

const limitOf = (min: number, max: number) => {
	const level = (description: string) => Type.Optional(Type.Number({ minimum: min, maximum: max, description }));
	return Type.Object(
		{
			min: level("alert below this, in the metric's unit"),
			max: level('alert above this'),
			clearMax: level('the alert ends at this or below; default 5 % inside max'),
			clearMin: level('the alert ends at this or above; default 5 % inside min'),
			criticalMax: level('above this the alert is critical, beyond max'),
			criticalMin: level('below this the alert is critical, beyond min'),
			risePerMinute: Type.Optional(
				Type.Number({
					exclusiveMinimum: 0,
					maximum: max - min,
					description: "alert when the value rises by more than this within a minute, in the metric's unit",
				}),
			),
			severity,
			dwellSeconds,
		},
		{ additionalProperties: false, minProperties: 1, description: 'at least one of max, min, risePerMinute' },
	);
};

/** The limits of one metric, and how an alert reports that one is exceeded. */
export type Limit = Static<ReturnType<typeof limitOf>>;

/** Bound of limits of configured metrics, whose range only their definition says. */
const MOST = 1e15;

/** The key of a set that says how a room's capacity is watched. It is no metric. */
export const OCCUPANCY = 'occupancy';

const OccupancyLimit = Type.Object(
	{
		severity,
		dwellSeconds,
		clearMax: Type.Optional(
			Type.Integer({
				minimum: 0,
				maximum: 100_000,
				description: "the alert ends at this many people or fewer, at most the room's capacity; default 5 % below it",
			}),
		),
	},
	{ additionalProperties: false, description: 'how the capacity is watched' },
);

/** Limits by metric, each within the metric's hard range; `occupancy` says how the capacity is watched. */
export const ThresholdSet = Type.Object(
	{
		...(Object.fromEntries(
			METRIC_KEYS.map((key) => [key, Type.Optional(limitOf(METRICS[key].min, METRICS[key].max))]),
		) as Record<string, ReturnType<typeof Type.Optional<ReturnType<typeof limitOf>>>>),
		[OCCUPANCY]: Type.Optional(OccupancyLimit),
	},
	{ additionalProperties: limitOf(-MOST, MOST), description: 'by metric of the catalog, and `occupancy`' },
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
 * All mistakes in a building's thresholds, including levels in the wrong order and rooms that it does not have. Empty
 * if they are valid.
 * @param rooms by id; where a capacity is given, the level at which its alert ends is compared with it
 */
export function thresholdsProblems(
	value: unknown,
	rooms: ReadonlyMap<string, Partial<Pick<Room, 'capacity'>>>,
	catalog: MetricLookup = BUILT_IN_METRICS,
): Problem[] {
	const problems = thresholds.problems(value);
	if (problems.length > 0 || !thresholds.check(value)) return problems;
	const { building, rooms: sets } = value as Thresholds;
	problems.push(...thresholdSetProblems(building, '/building', catalog));
	for (const [roomId, set] of Object.entries(sets)) {
		const path = `/rooms/${escapeKey(roomId)}`;
		const room = rooms.get(roomId);
		if (!room) problems.push({ path, message: 'is not a room of this building' });
		problems.push(...thresholdSetProblems(set, path, catalog, room?.capacity));
	}
	return problems;
}

/**
 * The mistakes that a schema cannot express in a set at `path`: a metric that is not of the catalog, a limit outside
 * the metric's range, levels in the wrong order, no limit at all.
 * @param capacity of the room whose set it is
 */
export function thresholdSetProblems(
	set: ThresholdSet,
	path: string,
	catalog: MetricLookup,
	capacity?: number,
): Problem[] {
	return Object.entries(set).flatMap(([metric, limit]) => {
		const at = `${path}/${escapeKey(metric)}`;
		if (metric === OCCUPANCY) return capacityProblems(limit ?? {}, capacity, at);
		const definition = catalog.definition(metric);
		if (!definition) return [{ path: at, message: `is not known here; known are ${catalog.keys().join(', ')}` }];
		return limitProblems(limit ?? {}, definition, at);
	});
}

function capacityProblems({ clearMax }: Limit, capacity: number | undefined, path: string): Problem[] {
	if (clearMax === undefined || capacity === undefined || clearMax <= capacity) return [];
	return [{ path: `${path}/clearMax`, message: `must be at most the capacity of the room, which is ${capacity}` }];
}

/** The levels of a limit, from the lowest to the highest. */
type Level = 'criticalMin' | 'min' | 'clearMin' | 'clearMax' | 'max' | 'criticalMax';

/** Which level must lie where, by its own name: `strictly` where the two may not be equal. */
const ORDER: readonly { level: Level; is: 'below' | 'above'; of: Level; strictly?: true }[] = [
	{ level: 'min', is: 'below', of: 'max', strictly: true },
	{ level: 'clearMax', is: 'below', of: 'max' },
	{ level: 'clearMin', is: 'above', of: 'min' },
	{ level: 'criticalMax', is: 'above', of: 'max', strictly: true },
	{ level: 'criticalMin', is: 'below', of: 'min', strictly: true },
	// A value at which the alert of one side ends must not be one that opens it on the other.
	{ level: 'clearMax', is: 'above', of: 'min' },
	{ level: 'clearMin', is: 'below', of: 'max' },
];
/** Levels that mean nothing without another one. */
const NEEDS: readonly [Level, Level][] = [
	['clearMax', 'max'],
	['criticalMax', 'max'],
	['clearMin', 'min'],
	['criticalMin', 'min'],
];

function limitProblems(limit: Limit, { min: lowest, max: highest }: MetricDefinition, path: string): Problem[] {
	const problems: Problem[] = [];
	const wrong = (key: string, message: string) => problems.push({ path: `${path}/${key}`, message });
	if (limit.max === undefined && limit.min === undefined && limit.risePerMinute === undefined)
		problems.push({ path, message: 'must have at least one of max, min, risePerMinute' });
	for (const level of ['min', 'max', 'clearMin', 'clearMax', 'criticalMin', 'criticalMax'] as const) {
		const value = limit[level];
		if (value !== undefined && (value < lowest || value > highest))
			wrong(level, `must be from ${lowest} to ${highest}`);
	}
	if (limit.risePerMinute !== undefined && limit.risePerMinute > highest - lowest)
		wrong('risePerMinute', `must be at most ${highest - lowest}`);
	for (const [level, needed] of NEEDS) {
		if (limit[level] !== undefined && limit[needed] === undefined) wrong(level, `needs ${needed}, which is not there`);
	}
	for (const { level, is, of, strictly } of ORDER) {
		const [value, other] = [limit[level], limit[of]];
		if (
			value === undefined ||
			other === undefined ||
			(value === other ? !strictly : value < other === (is === 'below'))
		)
			continue;
		wrong(
			level,
			strictly
				? `must be ${is} ${of}, which is ${other}`
				: `must not be ${is === 'below' ? 'above' : 'below'} ${of}, which is ${other}`,
		);
	}
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
