/** The reading: as a device sends it, as it leaves the gateway, and the gaps between readings. */
import Type, { type Static } from 'typebox';
import { GENERATION } from '../generation.ts';
import { validator } from '../validator.ts';
import { METRIC_KEY } from './metric-catalog.ts';

/** 1..128 of A-Z a-z 0-9 . _ : - */
export const SENSOR_ID = '^[A-Za-z0-9._:-]{1,128}$';
/** The id of a building or room: one MQTT topic level, so no separator, wildcard or control character (MQTT-4.7). */
export const PLACE_ID = '^[^/+#"\\\\\\u0000-\\u001f\\u007f\\ud800-\\udfff]{1,128}$';

export const SensorId = Type.String({ pattern: SENSOR_ID, description: '1..128 of A-Z a-z 0-9 . _ : -' });
export const PlaceId = Type.String({
	pattern: PLACE_ID,
	description: '1..128 characters without / + # " \\ and control characters',
});
const SensorName = Type.String({
	maxLength: 128,
	description: 'how people call the sensor, where its id does not say it: a name in another script, with blanks',
});
/** Which keys there are, the catalog says: a configuration adds its own. */
const Metric = Type.String({ pattern: METRIC_KEY, description: 'a key of the metric catalog' });
const EpochMs = Type.Number({ description: 'milliseconds since 1970-01-01T00:00:00Z' });

/** A reading as a device sends it. Fields that its topic or port determines may be left out. */
export const IncomingReading = Type.Object({
	sensorId: SensorId,
	sensorName: Type.Optional(SensorName),
	metric: Metric,
	value: Type.Number({ description: "finite, within the metric's hard range" }),
	unit: Type.Optional(Type.String({ maxLength: 32 })),
	buildingId: Type.Optional(PlaceId),
	roomId: Type.Optional(PlaceId),
	observedAt: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Number()])),
	seq: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
	boot: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
	uptime: Type.Optional(
		Type.Number({ minimum: 0, maximum: 1e10, description: 'seconds since the device started; tells a restart' }),
	),
});
export type IncomingReading = Static<typeof IncomingReading>;
export const incomingReading = validator(IncomingReading);

export const TRANSPORTS = ['serial', 'mqtt', 'http', 'socket.io'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** How far a reading's time can be trusted. `unsynced`: the device's time was impossible and was replaced. */
export const TIME_QUALITIES = ['synced', 'holdover', 'unsynced'] as const;
export type TimeQuality = (typeof TIME_QUALITIES)[number];

/** What a door's message means if it is not a plain number of crossings. */
export const DOOR_EVENTS = [
	'first',
	'wrap',
	'reset',
	'nightly-reset',
	'corrected',
	'unsure',
	'repeat',
	'jump',
	'late',
] as const;
export type DoorEvent = (typeof DOOR_EVENTS)[number];

const Crossings = Type.Object(
	{
		in: Type.Number(),
		out: Type.Number(),
		totalIn: Type.Optional(
			Type.Number({ description: 'people in since the start of a counter that never resets, as it reported them' }),
		),
		totalOut: Type.Optional(Type.Number({ description: 'people out, in the same way' })),
		detected: Type.Optional(
			Type.Enum([...DOOR_EVENTS], {
				description:
					'first: the first total, from which counting starts · wrap: the counter overflowed and started ' +
					'again from 0 · reset: the device restarted and started again from 0 · nightly-reset: the counter ' +
					'starts again from 0 at this hour every night · corrected: the counter was set to another total, ' +
					'not counted · unsure: the total went down without a known reason, not counted until that is clear ' +
					'· repeat: reported before, not counted · jump: more than can have crossed, not counted · late: ' +
					'from before the last known count or behind a later message, not counted',
			}),
		),
		clamped: Type.Optional(Type.Number({ description: 'how far below 0 the count would have fallen' })),
	},
	{ description: 'what a door counter sent, as seen from this room; `value` is the resulting count' },
);

/** The range in which the true count lies, estimated from what doors usually miss. Whole people. */
export const Interval = Type.Object(
	{ low: Type.Number({ minimum: 0 }), high: Type.Number({ minimum: 0 }) },
	{ description: 'how far a count made of crossings may have drifted: the true count is between the two' },
);
export type Interval = Static<typeof Interval>;

/** Why a count was set by the gateway or a person rather than counted by a door. */
export const Adjustment = Type.Object(
	{
		kind: Type.Enum(['zeroing', 'correction']),
		before: Type.Number({ description: 'the count before' }),
		reason: Type.Optional(Type.Enum(['nightly', 'quiet'], { description: 'why the room is assumed to be empty' })),
		due: Type.Optional(EpochMs),
	},
	{ description: 'if `value` was set rather than counted: a zeroing by the gateway, or a correction by a person' },
);
export type Adjustment = Static<typeof Adjustment>;

/** The canonical reading, as it leaves the gateway. Times are epoch ms, values are in the catalog's unit. */
export const Reading = Type.Object({
	id: Type.String({ description: 'unique; the same for every redelivery of the reading' }),
	sensorId: SensorId,
	sensorName: Type.Optional(SensorName),
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
	clipped: Type.Optional(
		Type.Boolean({ description: 'the sensor sent a little more than there can be, and `value` is the upper limit' }),
	),
	freshFor: Type.Optional(
		Type.Number({
			minimum: 0,
			description: 'how long the value counts as current, in ms, by how often its sensor speaks',
		}),
	),
	seq: Type.Optional(Type.Integer({ minimum: 0 })),
	boot: Type.Optional(Type.String()),
	uptime: Type.Optional(Type.Number({ minimum: 0, description: 'seconds since the device started' })),
	deviceTime: Type.Optional(
		Type.Union([Type.String(), Type.Number()], { description: 'the time that the device sent, if it was replaced' }),
	),
	bridge: Type.Optional(Type.String({ description: 'name of the MQTT bridge, if it came by one' })),
	generation: Type.Optional(
		Type.String({
			pattern: GENERATION,
			description: 'tells its room from earlier rooms of the same ids, which may have belonged to others',
		}),
	),
	senderDomain: Type.Optional(
		Type.String({ description: 'the domain of its device, if the gateway did not know the building yet' }),
	),
	crossings: Type.Optional(Crossings),
	interval: Type.Optional(Interval),
	adjustment: Type.Optional(Adjustment),
});
export type Reading = Static<typeof Reading>;
export const reading = validator(Reading);

/** A reading on its way to a browser, with the position to resume after. */
export type ReadingWithCursor = Reading & { cursor: string };

/**
 * Readings that a gateway lost or dropped before it could send them on, for one reason. A gap travels beside the first
 * reading that follows it (in the Redis stream `telemetry` as the field `gap`, a JSON array of these), so that every
 * entry is still a reading. The id of a reading is the id of its gateway's log, a hyphen and the offset in that log.
 */
export const ReadingGap = Type.Object({
	gatewayId: Type.String(),
	from: Type.String({ description: 'id of the first missing reading' }),
	to: Type.String({ description: 'id of the last missing reading; some in between may not be missing' }),
	count: Type.Integer({ minimum: 1, description: 'number of missing readings' }),
	reason: Type.Enum(['damaged', 'dropped-oldest', 'dropped-newest', 'expired', 'thinned']),
	firstAt: Type.Optional(
		Type.Number({ description: 'when the first of them was received, epoch ms, if known; lastAt: the last' }),
	),
	lastAt: Type.Optional(Type.Number()),
});
export type ReadingGap = Static<typeof ReadingGap>;

/** The field of the Redis stream `telemetry` that carries the gaps before a reading. */
export const GAP_FIELD = 'gap';
