/** Alerts: their states, kinds and severities, and the form in which they are published. */
import Type, { type Static } from 'typebox';
import { GENERATION } from '../generation.ts';
import { CombinedView } from '../reading/combine.ts';

export const ALERT_STATES = ['open', 'acknowledged', 'escalated', 'resolved'] as const;
const ALERT_SIDES = ['max', 'min', 'rise'] as const;
export const SEVERITIES = ['info', 'warning', 'critical'] as const;

/** An alert, as published on the channel `notifications` and listed by `GET /notification/alerts`. */
export const Alert = Type.Object({
	id: Type.String(),
	domainNames: Type.Array(Type.String()),
	buildingId: Type.String(),
	roomId: Type.Optional(Type.String()),
	kind: Type.String({
		description: 'a metric out of its limits; `occupancy`: more people than a room holds; `manual`: from a person',
	}),
	severity: Type.Enum([...SEVERITIES], { description: 'may rise and fall while it is open' }),
	state: Type.Enum([...ALERT_STATES]),
	value: Type.Optional(Type.Number({ description: "the value that crossed the limit, in the metric's unit" })),
	limit: Type.Optional(Type.Number()),
	side: Type.Optional(
		Type.Enum([...ALERT_SIDES], {
			description: 'what is wrong: above `max`, below `min`, or a `rise` of more than `limit` a minute',
		}),
	),
	combined: Type.Optional(CombinedView),
	observedAt: Type.Number({ description: 'epoch ms' }),
	message: Type.String(),
	generation: Type.Optional(
		Type.String({
			pattern: GENERATION,
			description: 'tells its room from earlier rooms of the same ids, which may have belonged to others',
		}),
	),
	suspended: Type.Optional(
		Type.Boolean({
			description: 'in lists: true while the values of its sensors are stale, so that it is neither confirmed nor over',
		}),
	),
});
export type Alert = Static<typeof Alert>;
