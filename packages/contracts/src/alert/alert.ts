/** Alerts: their states, kinds and severities, and the form in which they are published. */
import Type, { type Static } from 'typebox';
import { METRIC_KEYS } from '../reading/metrics.ts';

export const ALERT_STATES = ['open', 'acknowledged', 'escalated', 'resolved'] as const;
/** A metric out of its limits, more people than a room holds, or a message of a person. */
const ALERT_KINDS = ['occupancy', ...METRIC_KEYS, 'manual'] as const;
export const SEVERITIES = ['info', 'warning', 'critical'] as const;

/** An alert, as published on the channel `notifications` and listed by `GET /notification/alerts`. */
export const Alert = Type.Object({
	id: Type.String(),
	domainNames: Type.Array(Type.String()),
	buildingId: Type.String(),
	roomId: Type.Optional(Type.String()),
	kind: Type.Enum([...ALERT_KINDS]),
	severity: Type.Enum([...SEVERITIES]),
	state: Type.Enum([...ALERT_STATES]),
	value: Type.Optional(Type.Number({ description: "the value that crossed the limit, in the metric's unit" })),
	limit: Type.Optional(Type.Number()),
	observedAt: Type.Number({ description: 'epoch ms' }),
	message: Type.String(),
	suspended: Type.Optional(
		Type.Boolean({
			description: 'in lists: true while the values of its sensors are stale, so that it is neither confirmed nor over',
		}),
	),
});
export type Alert = Static<typeof Alert>;
