import Type, { type Static } from 'typebox';
import { ERRORS } from '../errors.ts';
import { TRANSPORTS } from '../reading/reading.ts';
import { validator } from '../validator.ts';
import { MAX_TIME_LENGTH, TIME_IN_QUERY } from './requests.ts';

/** Requests to the gateway's lists. All values of a query are text. */

/** Bounds and defaults of the gateway's lists. */
export const REJECTED_LIST_LIMIT = { minimum: 1, maximum: 1000, default: 200 };
export const TRACE_LIMIT = { minimum: 1, maximum: 100, default: 20 };
/** How long `GET /gateway/trace` follows matching messages, in minutes. */
export const TRACE_MINUTES = { minimum: 0, maximum: 60, default: 10 };
/** Changes of a room's count in `GET /gateway/rooms/{buildingId}/{roomId}/audit`. */
export const COUNT_CHANGES_LIMIT = { minimum: 1, maximum: 200, default: 50 };

/** A whole number within bounds, as text; `pattern` must match the same range. */
const wholeNumber = (pattern: string, bounds: { minimum: number; maximum: number; default: number }, more = '') =>
	Type.Optional(
		Type.String({
			pattern,
			description: `a whole number from ${bounds.minimum} to ${bounds.maximum}${more}; default ${bounds.default}`,
		}),
	);

const Name = (description: string) => Type.String({ minLength: 1, maxLength: 1024, description });

const REJECTED_FILTER = {
	sensor: Type.Optional(
		Name('the sensor of the message, or the device that sent it if the message does not name a sensor'),
	),
	topic: Type.Optional(Name('the topic of the message, or a filter with + and #; also a path or a port')),
	sender: Type.Optional(Name('the device that sent it')),
	code: Type.Optional(Type.Enum(Object.keys(ERRORS), { description: 'why it was refused' })),
	transport: Type.Optional(Type.Enum([...TRANSPORTS])),
};
const Since = Type.String({ maxLength: MAX_TIME_LENGTH, description: TIME_IN_QUERY });
const STATES = ['open', 'replayed', 'all'] as const;

/** `GET /gateway/rejected?…` */
export const RejectedListQuery = Type.Object(
	{
		...REJECTED_FILTER,
		since: Type.Optional(Since),
		state: Type.Optional(Type.Enum([...STATES], { description: 'open: not accepted by a later replay (the default)' })),
		before: Type.Optional(Type.String({ pattern: '^\\d{1,15}$', description: '`next` of the previous page' })),
		cursor: Type.Optional(Type.String({ description: '`nextCursor` of the previous page' })),
		limit: wholeNumber('^([1-9]\\d{0,2}|1000)$', REJECTED_LIST_LIMIT),
	},
	{ additionalProperties: false },
);
export const rejectedListQuery = validator(RejectedListQuery);

/** `POST /gateway/rejected/replay`: by id, or all open messages that match a filter. */
export const ReplayRequest = Type.Union(
	[
		Type.Object(
			{ ids: Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1, maxItems: 500, uniqueItems: true }) },
			{ additionalProperties: false },
		),
		Type.Object(
			{
				filter: Type.Object(
					{ ...REJECTED_FILTER, since: Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Since])) },
					{ additionalProperties: false, minProperties: 1 },
				),
			},
			{ additionalProperties: false },
		),
	],
	{
		description:
			'{"ids": […]} with 1 to 500 ids, or {"filter": {…}} with one of sensor, topic, sender, code, transport, since',
	},
);
export type ReplayRequest = Static<typeof ReplayRequest>;
export const replayRequest = validator(ReplayRequest);

/** `GET /gateway/trace?…` */
export const TraceQuery = Type.Object(
	{
		sensor: Type.Optional(Name('a sensor, or a device')),
		topic: Type.Optional(Name('an MQTT topic, or a filter with + and #; also a path or a port')),
		sender: Type.Optional(Name('a device')),
		id: Type.Optional(Name('the id of a reading')),
		domain: Type.Optional(Name('whose messages, where several domains have a sensor of this id')),
		minutes: wholeNumber('^(\\d|[1-5]\\d|60)$', TRACE_MINUTES, ': how long to follow from now on, 0 to stop'),
		limit: wholeNumber('^([1-9]\\d?|100)$', TRACE_LIMIT),
	},
	{ additionalProperties: false },
);
export const traceQuery = validator(TraceQuery);
