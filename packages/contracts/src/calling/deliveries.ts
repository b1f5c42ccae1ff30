/** Calling people: who is called about which alerts, by which channel, and what became of every message. */
import Type, { type Static } from 'typebox';
import { LANGUAGES } from '../account/auth-requests.ts';
import { ALERT_STATES, SEVERITIES } from '../alert/alert.ts';
import { METRIC_KEY } from '../reading/metric-catalog.ts';
import { validator } from '../validator.ts';
import { WeekHours } from './hours.ts';

const closed = { additionalProperties: false };

export const DELIVERY_CHANNELS = ['push', 'mail', 'webhook'] as const;
export type DeliveryChannel = (typeof DELIVERY_CHANNELS)[number];

/** What became of a message; every row has one of these, and leaves `pending` for good. */
export const DELIVERY_STATUSES = ['pending', 'delivered', 'suppressed', 'failed', 'replaced'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** Why a message was not delivered. */
export const DELIVERY_REASONS = [
	'not_member',
	'not_opted_in',
	'channel_off',
	'kind_off',
	'below_severity',
	'outside_hours',
	'quiet',
	'maintenance',
	'snoozed',
	'grouped',
	'not_escalated_to',
	'no_device',
	'no_address',
	'not_confirmed',
	'no_mail_server',
	'not_called_before',
	'mail_stays',
	'acknowledged',
	'resolved',
	'channel_removed',
	'refused',
	'expired',
] as const;
export type DeliveryReason = (typeof DELIVERY_REASONS)[number];

const AlertKind = Type.String({
	pattern: METRIC_KEY,
	description: 'the kind of an alert: `occupancy`, `silence`, `gateway`, `bridge`, `manual`, or a metric',
});
const Kinds = Type.Array(AlertKind, { uniqueItems: true, maxItems: 100 });
/** `GET/PUT /notification/preferences/{domain}`: about what, and how, a person wants to be called. */
export const Preferences = Type.Object(
	{
		kinds: Type.Union([Type.Literal('all'), Kinds]),
		lowestSeverity: Type.Enum([...SEVERITIES]),
		channels: Type.Array(Type.Enum(['push', 'mail']), { uniqueItems: true }),
		hours: Type.Optional(
			Type.Array(WeekHours, { maxItems: 20, description: 'when to be called; by the zone of the building' }),
		),
	},
	closed,
);
export type Preferences = Static<typeof Preferences>;
export const preferences = validator(Preferences);

/** What holds for a person who has set nothing: nothing is sent. */
export const NO_PREFERENCES: Preferences = { kinds: 'all', lowestSeverity: 'warning', channels: [] };

const WEBHOOK_TEMPLATES = ['standard', 'slack', 'teams', 'ntfy', 'telegram'] as const;

/** `POST /notification/domains/{name}/webhooks` */
export const NewWebhookRequest = Type.Object(
	{
		url: Type.String({ minLength: 1, maxLength: 2000, description: 'https, on the public internet' }),
		template: Type.Enum([...WEBHOOK_TEMPLATES]),
		severities: Type.Optional(Type.Array(Type.Enum([...SEVERITIES]), { minItems: 1, uniqueItems: true })),
		kinds: Type.Optional(Kinds),
		language: Type.Optional(Type.Enum([...LANGUAGES], { description: 'of its texts; default en' })),
	},
	closed,
);
export type NewWebhookRequest = Static<typeof NewWebhookRequest>;
export const newWebhookRequest = validator(NewWebhookRequest);

export const WebhookView = Type.Object({
	id: Type.String(),
	...NewWebhookRequest.properties,
	createdAt: Type.Number({ description: 'epoch ms' }),
});
export type WebhookView = Static<typeof WebhookView>;

export const NewWebhook = Type.Object({
	...WebhookView.properties,
	secret: Type.String({ description: 'signs each message of the template `standard`; shown once' }),
});

/** The outcome of `POST …/test`. */
export const TestOutcome = Type.Object({
	delivered: Type.Boolean(),
	reason: Type.Optional(Type.String({ description: 'for a person, where it was not' })),
});
export type TestOutcome = Static<typeof TestOutcome>;

/** One message, and what became of it. */
export const DeliveryView = Type.Object({
	key: Type.String({ description: 'goes out with every attempt: `webhook-id`, push `Topic`, `Message-ID`' }),
	alertId: Type.String(),
	state: Type.Enum([...ALERT_STATES]),
	channel: Type.Enum([...DELIVERY_CHANNELS]),
	recipient: Type.String({ description: 'the account, the account and its device, or the webhook' }),
	status: Type.Enum([...DELIVERY_STATUSES]),
	reason: Type.Optional(Type.Enum([...DELIVERY_REASONS])),
	text: Type.Optional(Type.String({ description: 'the reason for a person, with what the provider said' })),
	attempts: Type.Integer(),
	at: Type.Number({ description: 'when it was decided, epoch ms' }),
	settledAt: Type.Optional(Type.Number({ description: 'when it was delivered or given up, epoch ms' })),
});
export type DeliveryView = Static<typeof DeliveryView>;

/** `POST /notification/subscriptions`: what `PushSubscription.toJSON()` gives. */
export const SubscriptionRequest = Type.Object({
	endpoint: Type.String({ minLength: 1, maxLength: 2000, description: 'https, on the public internet' }),
	keys: Type.Object({
		p256dh: Type.String({ pattern: '^[A-Za-z0-9_-]{87}=?$', description: 'a P-256 point, base64url' }),
		auth: Type.String({ pattern: '^[A-Za-z0-9_-]{22}={0,2}$', description: '16 bytes, base64url' }),
	}),
	name: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'what to call the device' })),
});
export type SubscriptionRequest = Static<typeof SubscriptionRequest>;
export const subscriptionRequest = validator(SubscriptionRequest);

export const SubscriptionView = Type.Object({
	id: Type.String(),
	endpoint: Type.String(),
	name: Type.Optional(Type.String()),
	createdAt: Type.Number({ description: 'epoch ms' }),
});
export type SubscriptionView = Static<typeof SubscriptionView>;

/** `GET /notification/alerts/{id}/why` */
export const WhyAnswer = Type.Object({
	alertId: Type.String(),
	accountId: Type.String(),
	called: Type.Boolean({ description: 'whether a message reached it' }),
	reason: Type.Optional(Type.Enum([...DELIVERY_REASONS], { description: 'where nothing was decided for it' })),
	text: Type.String({ description: 'in one sentence, in the language of the request' }),
	deliveries: Type.Array(DeliveryView),
});
export type WhyAnswer = Static<typeof WhyAnswer>;
