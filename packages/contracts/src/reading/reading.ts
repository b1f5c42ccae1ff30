import Type, { type Static } from 'typebox';
import { validator } from '../validator.ts';
import { METRIC_KEYS } from './metrics.ts';

/** 1..128 of A-Z a-z 0-9 . _ : - */
export const SENSOR_ID = '^[A-Za-z0-9._:-]{1,128}$';
/** A building or a room: one MQTT topic level, so no separator, wildcard or control character (MQTT-4.7). */
export const PLACE_ID = '^[^/+#"\\\\\u0000-\u001f\u007f\ud800-\udfff]{1,128}$';

export const SensorId = Type.String({ pattern: SENSOR_ID, description: '1..128 of A-Z a-z 0-9 . _ : -' });
export const PlaceId = Type.String({
	pattern: PLACE_ID,
	description: '1..128 characters without / + # " \\ and control characters',
});
const Metric = Type.Enum(METRIC_KEYS, { description: 'a key of the metric catalog' });
const EpochMs = Type.Number({ description: 'milliseconds since 1970-01-01T00:00:00Z' });

/** A reading as a device sends it. What its topic or port already says may be left out of it. */
export const IncomingReading = Type.Object({
	sensorId: SensorId,
	metric: Metric,
	value: Type.Number({ description: "finite, within the metric's hard range" }),
	unit: Type.Optional(Type.String({ maxLength: 32 })),
	buildingId: Type.Optional(PlaceId),
	roomId: Type.Optional(PlaceId),
	observedAt: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Number()])),
	seq: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
	boot: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
});
export type IncomingReading = Static<typeof IncomingReading>;
export const incomingReading = validator(IncomingReading);

export const TRANSPORTS = ['serial', 'mqtt', 'http', 'socket.io'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** How far a reading's time can be trusted. `unsynced`: the device's own time could not be true and was replaced. */
export const TIME_QUALITIES = ['synced', 'holdover', 'unsynced'] as const;
export type TimeQuality = (typeof TIME_QUALITIES)[number];

/** What a door's message turned out to be, where it is not just so many crossings. */
export const DOOR_EVENTS = ['first', 'wrap', 'reset', 'jump', 'late'] as const;
export type DoorEvent = (typeof DOOR_EVENTS)[number];

const Crossings = Type.Object(
	{
		in: Type.Number(),
		out: Type.Number(),
		totalIn: Type.Optional(
			Type.Number({ description: 'what a counter that counts from its start said, of those who came in' }),
		),
		totalOut: Type.Optional(Type.Number({ description: 'the same of those who went out' })),
		detected: Type.Optional(
			Type.Enum([...DOOR_EVENTS], {
				description:
					'first: a total to count on from · wrap: the counter began again from 0 because it was full · reset: because the device restarted · jump: more than can have crossed, not counted · late: from before the count was last known, not counted',
			}),
		),
		clamped: Type.Optional(Type.Number({ description: 'how far below 0 the count would have fallen' })),
	},
	{ description: 'what a door counter sent, as seen from this room, where `value` is the count made of it' },
);

/**
 * Between which counts the truth lies, as far as the gateway can tell from what its doors usually miss. Whole people.
 */
export const Interval = Type.Object(
	{ low: Type.Number({ minimum: 0 }), high: Type.Number({ minimum: 0 }) },
	{ description: 'how far a count made of crossings may have drifted: the truth lies between the two' },
);
export type Interval = Static<typeof Interval>;

/** A count that is known, not counted: what the gateway or a person says instead of a door. */
export const Adjustment = Type.Object(
	{
		kind: Type.Enum(['zeroing', 'correction']),
		before: Type.Number({ description: 'the count until then' }),
		reason: Type.Optional(Type.Enum(['nightly', 'quiet'], { description: 'why the room is taken to be empty' })),
		due: Type.Optional(EpochMs),
	},
	{ description: 'where `value` was set and not counted: a zeroing by the gateway, or a correction by a person' },
);
export type Adjustment = Static<typeof Adjustment>;

/** The canonical reading: what leaves the gateway. All times are epoch ms, all values in the catalog's unit. */
export const Reading = Type.Object({
	id: Type.String({ description: 'unique, and the same however often the reading is redelivered' }),
	sensorId: SensorId,
	metric: Metric,
	value: Type.Number(),
	unit: Type.String(),
	buildingId: PlaceId,
	roomId: PlaceId,
	observedAt: EpochMs,
	receivedAt: EpochMs,
	gatewayId: Type.String(),
	transport: Type.Enum([...TRANSPORTS]),
	timeQuality: Type.Enum([...TIME_QUALITIES]),
	seq: Type.Optional(Type.Integer({ minimum: 0 })),
	boot: Type.Optional(Type.String()),
	deviceTime: Type.Optional(
		Type.Union([Type.String(), Type.Number()], { description: 'the time the device sent, where it was replaced' }),
	),
	bridge: Type.Optional(Type.String({ description: 'name of the MQTT bridge it came by, where it did' })),
	crossings: Type.Optional(Crossings),
	interval: Type.Optional(Interval),
	adjustment: Type.Optional(Adjustment),
});
export type Reading = Static<typeof Reading>;
export const reading = validator(Reading);

/** A reading on its way to a browser, with the position after which to go on. */
export type ReadingWithCursor = Reading & { cursor: string };

/**
 * Readings that are missing downstream, of one reason: what a gateway lost or gave up before it could send it on. It
 * travels beside the first reading that follows it (in the Redis stream `telemetry` the field `gap`, a JSON array of
 * these), so that every entry is still a reading. The ids of the readings of a gateway are its log's id, a hyphen and
 * the offset in it.
 */
export const ReadingGap = Type.Object({
	gatewayId: Type.String(),
	from: Type.String({ description: 'id of the first reading that is missing' }),
	to: Type.String({ description: 'id of the last one; not all in between need be missing' }),
	count: Type.Integer({ minimum: 1, description: 'how many readings are missing' }),
	reason: Type.Enum(['damaged', 'dropped-oldest', 'dropped-newest', 'expired', 'thinned']),
	firstAt: Type.Optional(
		Type.Number({ description: 'between when and when they were received, epoch ms, as far as that is known' }),
	),
	lastAt: Type.Optional(Type.Number()),
});
export type ReadingGap = Static<typeof ReadingGap>;

/** The field of the Redis stream `telemetry` that carries the gaps before a reading. */
export const GAP_FIELD = 'gap';
