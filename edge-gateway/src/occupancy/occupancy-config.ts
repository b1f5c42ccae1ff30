import { isTimeZone, PlaceId, type Problem, SensorId } from '@crowdvision/contracts';
import Type, { type Static } from 'typebox';

const closed = { additionalProperties: false };
const LocalTime = Type.String({
	pattern: '^(([01]\\d|2[0-3]):[0-5]\\d|off)$',
	description: 'a time of day such as "04:00", in the time zone of the building, or "off"',
});
const Quiet = Type.String({ pattern: '^(\\d{1,9} ?(s|m|h|d)|off)$', description: 'a duration such as 6h, or "off"' });
const Bias = Type.Number({
	minimum: 0,
	maximum: 0.5,
	description: 'how far a door is usually off, at most, as a share of what it counts; default 0.1',
});
const MissRate = Type.Number({
	minimum: 0,
	maximum: 0.5,
	description: 'share of crossings missed or counted twice by chance; default 0.05',
});

const zeroing = {
	nightlyReset: Type.Optional(LocalTime),
	quietFor: Type.Optional(Quiet),
};

const DoorConfig = Type.Object(
	{
		sensorId: SensorId,
		between: Type.Optional(
			Type.Object(
				{ from: PlaceId, to: PlaceId },
				{
					...closed,
					description:
						'a door between two rooms of one building: in is from `from` into `to`; both counts move together',
				},
			),
		),
		swapped: Type.Optional(Type.Boolean({ description: 'mounted the wrong way round: in is out; default false' })),
		counter: Type.Optional(
			Type.Enum(['since-last', 'cumulative'], {
				description:
					'peopleIn and peopleOut count since the last message (default), or cumulative: since the device was switched on',
			}),
		),
		wrapAt: Type.Optional(
			Type.Integer({
				minimum: 2,
				maximum: Number.MAX_SAFE_INTEGER,
				description:
					'a cumulative counter goes on from 0 instead of reaching this; default: 256, 65536 or 4294967296, whichever it came close to',
			}),
		),
		perMinute: Type.Optional(
			Type.Integer({
				minimum: 1,
				maximum: 10_000,
				description: 'more people a minute do not get through this door; default 200',
			}),
		),
		bias: Type.Optional(Bias),
		missRate: Type.Optional(MissRate),
	},
	closed,
);

/** `occupancy` of gateway.yaml. */
export const OccupancyConfig = Type.Object(
	{
		nightlyReset: Type.Optional(LocalTime),
		quietFor: Type.Optional(
			Type.Unsafe<string>({
				...Quiet,
				description:
					'a duration such as 6h: a room through whose doors nobody came for so long, and that may be empty, is; or "off" (default)',
			}),
		),
		timeZone: Type.Optional(
			Type.String({
				minLength: 1,
				maxLength: 64,
				description: 'IANA name, such as Europe/Rome, for buildings that have none of their own; default UTC',
			}),
		),
		bias: Type.Optional(Bias),
		missRate: Type.Optional(MissRate),
		rooms: Type.Optional(
			Type.Array(Type.Object({ buildingId: PlaceId, roomId: Type.Optional(PlaceId), ...zeroing }, closed), {
				maxItems: 10_000,
				description: 'what is otherwise for one building, or one room of it',
			}),
		),
		doors: Type.Optional(
			Type.Array(DoorConfig, { maxItems: 10_000, description: 'doors that there is something to say of' }),
		),
	},
	{ ...closed, description: "how a room's count is made of what its doors say" },
);
export type OccupancyConfig = Static<typeof OccupancyConfig>;

/**
 * What a schema cannot say: a door is told of once, leads somewhere, and only a cumulative counter wraps. Paths begin
 * at `occupancy`.
 */
export function occupancyProblems({ doors = [], timeZone }: OccupancyConfig): Problem[] {
	const problems: Problem[] = [];
	const first = new Map<string, number>();
	for (const [index, { sensorId, between, counter, wrapAt }] of doors.entries()) {
		const path = `/occupancy/doors/${index}`;
		const earlier = first.get(sensorId);
		if (earlier === undefined) first.set(sensorId, index);
		else
			problems.push({
				path: `${path}/sensorId`,
				message: `"${sensorId}" is told of in occupancy.doors.${earlier} already`,
			});
		if (between && between.from === between.to)
			problems.push({ path: `${path}/between`, message: 'must lead from one room into another' });
		if (wrapAt !== undefined && counter !== 'cumulative')
			problems.push({ path: `${path}/wrapAt`, message: 'is only for counter: cumulative' });
	}
	if (timeZone !== undefined && !isTimeZone(timeZone)) {
		problems.push({
			path: '/occupancy/timeZone',
			message: 'must be the IANA name of a time zone, such as Europe/Rome',
		});
	}
	return problems;
}
