/** The building JSON: its schema, and the mistakes that a schema cannot express. */
import Type, { type Static } from 'typebox';
import { idProblem, Name, oneSpelling } from '../names/names.ts';
import { combineProblems, RoomCombine } from '../reading/combine.ts';
import { isTimeZone } from '../reading/local-time.ts';
import { BUILT_IN_METRICS, type MetricLookup } from '../reading/metric-catalog.ts';
import { PlaceId } from '../reading/reading.ts';
import { type Problem, validator } from '../validator.ts';

/** Unknown keys are refused: a mistyped key would be a limit that never applies. */
const CLOSED = { additionalProperties: false } as const;

const Vector = (keys: [string, string, string], positive: boolean) =>
	Type.Object(
		Object.fromEntries(
			keys.map((key) => [
				key,
				positive
					? Type.Number({ exclusiveMinimum: 0, maximum: 100_000 })
					: Type.Number({ minimum: -100_000, maximum: 100_000 }),
			]),
		) as Record<string, ReturnType<typeof Type.Number>>,
		CLOSED,
	);

const MAX_ROOMS = 2000;
export const DomainName = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}([./][a-z0-9][a-z0-9-]{0,62}){0,7}$' });

/** A room. `position` is its centre, in metres; `y` points up. */
export const Room = Type.Object(
	{
		id: PlaceId,
		name: Type.Optional(Name()),
		capacity: Type.Integer({ minimum: 0, maximum: 100_000 }),
		position: Vector(['x', 'y', 'z'], false),
		dimensions: Vector(['width', 'height', 'depth'], true),
		floor: Type.Optional(Type.Union([Type.Integer(), Name(64, 'a number or a name')])),
		color: Type.Optional(Type.String({ pattern: '^#[0-9a-fA-F]{6}$', description: '#rrggbb' })),
		maxTemperature: Type.Optional(Type.Number({ minimum: -60, maximum: 125 })),
		combine: Type.Optional(RoomCombine),
	},
	CLOSED,
);
export type Room = Static<typeof Room>;

/** A building JSON, as documented in docs/building.schema.json. */
export const Building = Type.Object(
	{
		id: PlaceId,
		name: Type.Optional(Name()),
		domains: Type.Optional(Type.Array(Name(255, 'the name of a domain'), { maxItems: 100 })),
		timeZone: Type.Optional(
			Type.String({
				minLength: 1,
				maxLength: 64,
				description: 'IANA name, such as Europe/Rome; default UTC',
			}),
		),
		rooms: Type.Array(Room, { minItems: 1, maxItems: MAX_ROOMS }),
	},
	CLOSED,
);
export type Building = Static<typeof Building>;
const building = validator(Building);

/**
 * All mistakes in a building JSON, including those that a schema cannot express: duplicate room ids, an unknown time
 * zone, a metric that is not of the catalog. Empty if it is valid.
 */
export function buildingProblems(value: unknown, catalog: MetricLookup = BUILT_IN_METRICS): Problem[] {
	const problems = building.problems(value);
	if (problems.length > 0 || !building.check(value)) return problems;
	if (value.timeZone !== undefined && !isTimeZone(value.timeZone)) {
		problems.push({ path: '/timeZone', message: 'must be the IANA name of a time zone, such as Europe/Rome' });
	}
	const ownId = idProblem(value.id);
	if (ownId !== undefined) problems.push({ path: '/id', message: ownId });
	const first = new Map<string, number>();
	for (const [index, room] of value.rooms.entries()) {
		if (room.combine) problems.push(...combineProblems(room.combine, `/rooms/${index}/combine`, catalog));
		const unclear = idProblem(room.id);
		if (unclear !== undefined) problems.push({ path: `/rooms/${index}/id`, message: unclear });
		const earlier = first.get(oneSpelling(room.id));
		if (earlier === undefined) first.set(oneSpelling(room.id), index);
		else
			problems.push({
				path: `/rooms/${index}/id`,
				message: `"${room.id}" is also the id of /rooms/${earlier}; room ids must be unique`,
			});
	}
	return problems;
}
