import Type, { type Static } from 'typebox';
import { ERRORS } from '../errors.ts';
import { TRANSPORTS } from '../reading/reading.ts';
import { validator } from '../validator.ts';

/** Requests to the gateway's lists. Everything in a query is text. */

const Name = (description: string) => Type.String({ minLength: 1, maxLength: 1024, description });

const REJECTED_FILTER = {
	sensor: Type.Optional(
		Name('the sensor it is of; also the device that sent it, where the message does not name a sensor'),
	),
	topic: Type.Optional(Name('the topic it came by, or a filter with + and #; also a path or a port')),
	sender: Type.Optional(Name('the device that sent it')),
	code: Type.Optional(Type.Enum(Object.keys(ERRORS), { description: 'why it was refused' })),
	transport: Type.Optional(Type.Enum([...TRANSPORTS])),
};
const Since = Type.String({
	pattern: '^(\\d{1,15}|\\d{4}-\\d\\d-\\d\\d\\S{0,30})$',
	description: 'a time: epoch ms or ISO 8601',
});
const STATES = ['open', 'replayed', 'all'] as const;

/** `GET /gateway/rejected?…` */
export const RejectedListQuery = Type.Object(
	{
		...REJECTED_FILTER,
		since: Type.Optional(Since),
		state: Type.Optional(
			Type.Enum([...STATES], { description: 'open: not taken in after all by a replay (the default)' }),
		),
		before: Type.Optional(
			Type.String({ pattern: '^\\d{1,15}$', description: 'an id: the page after the one that gave it as `next`' }),
		),
		limit: Type.Optional(
			Type.String({ pattern: '^([1-9]\\d{0,2}|1000)$', description: 'a whole number from 1 to 1000; default 200' }),
		),
	},
	{ additionalProperties: false },
);
export const rejectedListQuery = validator(RejectedListQuery);

/** `POST /gateway/rejected/replay`: by id, or whatever open ones match. */
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
		minutes: Type.Optional(
			Type.String({
				pattern: '^(\\d|[1-5]\\d|60)$',
				description: 'a whole number from 0 to 60: for how long to follow from now on; default 10, 0 stops',
			}),
		),
		limit: Type.Optional(
			Type.String({ pattern: '^([1-9]\\d?|100)$', description: 'a whole number from 1 to 100; default 20' }),
		),
	},
	{ additionalProperties: false },
);
export const traceQuery = validator(TraceQuery);
