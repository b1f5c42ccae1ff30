/** The schema of `occupancy` in gateway.yaml. */
import { isTimeZone, PlaceId, type Problem, SensorId } from '@crowdvision/contracts';
import Type, { type Static } from 'typebox';
import { option, withoutDefault } from '../options.ts';

const closed = { additionalProperties: false };
const LocalTime = Type.String({
	pattern: '^(([01]\\d|2[0-3]):[0-5]\\d|off)$',
	description: 'a time of day such as "04:00", or "off"',
});
const QuietTime = Type.String({
	pattern: '^(\\d{1,9} ?(s|m|h|d)|off)$',
	description: 'a duration such as 6h, or "off"',
});
const Bias = Type.Number({ minimum: 0, maximum: 0.5 });
const MissRate = Type.Number({ minimum: 0, maximum: 0.5 });
const NIGHTLY_RESET = 'when rooms count as empty every night, in the time zone of the building';
const QUIET_FOR = 'a room that may be empty counts as empty when nobody has come through its doors for this long';

const RoomConfig = Type.Object(
	{
		buildingId: PlaceId,
		roomId: Type.Optional(PlaceId),
		nightlyReset: withoutDefault(LocalTime, NIGHTLY_RESET),
		quietFor: withoutDefault(QuietTime, QUIET_FOR),
	},
	closed,
);

/** One entry of `occupancy.doors`. */
export const DoorConfig = Type.Object(
	{
		sensorId: SensorId,
		buildingId: withoutDefault(
			PlaceId,
			'only the door of this building, as several domains may have a sensor of one id; what the entry leaves out is ' +
				'as in the one for all buildings',
		),
		between: withoutDefault(
			Type.Object({ from: PlaceId, to: PlaceId }, closed),
			'a door between two rooms of one building: people counted in go from `from` to `to`, and both counts change',
		),
		swapped: option(Type.Boolean(), false, 'the sensor is mounted the wrong way round: its ins are outs'),
		counter: option(
			Type.Enum(['since-last', 'cumulative']),
			'since-last',
			'what peopleIn and peopleOut count: since-last: people since the last message; cumulative: since the device ' +
				'was switched on',
		),
		wrapAt: withoutDefault(
			Type.Integer({ minimum: 2, maximum: Number.MAX_SAFE_INTEGER }),
			'a cumulative counter continues from 0 instead of reaching this; default: 256, 65536 or 4294967296, whichever ' +
				'the counter came close to',
		),
		// Two metres of open door let about this many through.
		perMinute: option(
			Type.Integer({ minimum: 1, maximum: 10_000 }),
			200,
			'most people a minute through this door; a cumulative counter that rises faster is not believed',
		),
		bias: withoutDefault(Bias, 'occupancy.bias for this door'),
		missRate: withoutDefault(MissRate, 'occupancy.missRate for this door'),
	},
	closed,
);

/** `occupancy` in gateway.yaml. */
export const OccupancyConfig = Type.Object(
	{
		nightlyReset: option(LocalTime, 'off', NIGHTLY_RESET),
		quietFor: option(QuietTime, 'off', QUIET_FOR),
		timeZone: option(
			Type.String({ minLength: 1, maxLength: 64 }),
			'UTC',
			'IANA name, such as Europe/Rome, for buildings that have none of their own',
		),
		// An infrared counter in daily use is off by less than this.
		bias: option(Bias, 0.1, 'largest systematic error of a door, as a share of what it counts'),
		missRate: option(MissRate, 0.05, 'share of crossings that are missed or counted twice by chance'),
		rooms: withoutDefault(
			Type.Array(RoomConfig, { maxItems: 10_000 }),
			'exceptions for one building, or one of its rooms',
		),
		doors: withoutDefault(Type.Array(DoorConfig, { maxItems: 10_000 }), 'doors that need settings of their own'),
	},
	{ ...closed, description: 'how people are counted in rooms from what their doors report' },
);
export type OccupancyConfig = Static<typeof OccupancyConfig>;

/** One entry of `occupancy.doors` as it is written. */
type DoorEntry = NonNullable<OccupancyConfig['doors']>[number];

/** The entries of `occupancy.doors`, those for one building with what the entry for all buildings says besides. */
export function layered(doors: readonly DoorEntry[]): DoorEntry[] {
	const everywhere = new Map(
		doors.filter((door) => door.buildingId === undefined).map((door) => [door.sensorId, door]),
	);
	return doors.map((door) => ({ ...everywhere.get(door.sensorId), ...door }));
}

/**
 * Finds the mistakes in `occupancy` that its schema cannot express: a door is listed once for a building and once for
 * all, leads into another room, and only a cumulative counter wraps. Paths are JSON Pointers.
 */
export function occupancyProblems({ doors = [], timeZone }: OccupancyConfig): Problem[] {
	const problems: Problem[] = [];
	const first = new Map<string, number>();
	const whole = layered(doors);
	for (const [index, { sensorId, buildingId, between, wrapAt }] of doors.entries()) {
		const path = `/occupancy/doors/${index}`;
		const name = JSON.stringify([sensorId, buildingId]);
		const earlier = first.get(name);
		if (earlier === undefined) first.set(name, index);
		else
			problems.push({
				path: `${path}/sensorId`,
				message: `"${sensorId}" is listed in occupancy.doors.${earlier} already`,
			});
		if (between && between.from === between.to)
			problems.push({ path: `${path}/between`, message: 'must lead from one room into another' });
		if (wrapAt !== undefined && whole[index]!.counter !== 'cumulative')
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
