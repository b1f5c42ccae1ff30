/** The requests by which domains and people say how they are called. Notification serves them. */
import Type from 'typebox';
import {
	DeliveryView,
	NewWebhook,
	NewWebhookRequest,
	Preferences,
	SubscriptionRequest,
	SubscriptionView,
	TestOutcome,
	WebhookView,
} from '../calling/deliveries.ts';
import type { Operation } from './operation.ts';
import { pageOf, pageQuery } from './paging.ts';

export const CALLING_OPERATIONS: readonly Operation[] = [
	{
		method: 'post',
		path: '/notification/domains/{name}/webhooks',
		summary: 'Have the alerts of a domain sent to a URL',
		description:
			'`standard` is signed as Standard Webhooks says; the others are what Slack, Teams (a workflow), ntfy (a topic) ' +
			'and Telegram (`sendMessage?chat_id=…`) take. The URL must be https and on the public internet, unless ' +
			'OUTBOUND_ALLOW names its host. At most 20 per domain.',
		who: 'business_admin',
		request: { schema: NewWebhookRequest },
		answers: { 201: { description: 'Added; the secret is shown once.', schema: NewWebhook } },
	},
	{
		method: 'get',
		path: '/notification/domains/{name}/webhooks',
		summary: 'List the webhooks of a domain',
		who: 'business_admin',
		answers: { 200: { description: 'All of them.', schema: Type.Object({ webhooks: Type.Array(WebhookView) }) } },
	},
	{
		method: 'delete',
		path: '/notification/domains/{name}/webhooks/{id}',
		summary: 'Remove a webhook',
		who: 'business_admin',
		answers: { 204: { description: 'Removed; nothing more is sent there.' } },
	},
	{
		method: 'post',
		path: '/notification/domains/{name}/webhooks/{id}/test',
		summary: 'Send a message to a webhook that says it is a test',
		who: 'business_admin',
		answers: { 200: { description: 'What became of it.', schema: TestOutcome } },
	},
	{
		method: 'get',
		path: '/notification/domains/{name}/dead-letters',
		summary: 'List the messages of a domain that could not be delivered',
		description: 'A message is tried for a day.',
		who: 'business_admin',
		query: Type.Object(pageQuery()),
		answers: { 200: { description: 'The latest first.', schema: pageOf('deadLetters', DeliveryView) } },
		errors: ['bad_request', 'invalid'],
	},
	{
		method: 'post',
		path: '/notification/domains/{name}/dead-letters/{key}/send',
		summary: 'Send a message again, under the same key',
		description: 'It is tried for another day.',
		who: 'business_admin',
		answers: { 202: { description: 'Pending again.', schema: DeliveryView } },
		errors: ['conflict'],
	},
	{
		method: 'get',
		path: '/notification/public-key',
		summary: 'Get the key by which push services know this installation',
		who: 'anyone',
		answers: {
			200: { description: 'For `applicationServerKey`.', schema: Type.Object({ publicKey: Type.String() }) },
		},
	},
	{
		method: 'post',
		path: '/notification/subscriptions',
		summary: 'Let this device take push messages',
		description: 'At most 20 per account. The same endpoint again renews its keys.',
		who: 'account',
		request: { schema: SubscriptionRequest },
		answers: {
			200: { description: 'It was known already.', schema: SubscriptionView },
			201: { description: 'Added.', schema: SubscriptionView },
		},
	},
	{
		method: 'get',
		path: '/notification/subscriptions',
		summary: 'List my devices that take push messages',
		who: 'account',
		answers: {
			200: { description: 'All of them.', schema: Type.Object({ subscriptions: Type.Array(SubscriptionView) }) },
		},
	},
	{
		method: 'delete',
		path: '/notification/subscriptions/{id}',
		summary: 'Send nothing more to a device of mine',
		who: 'account',
		answers: { 204: { description: 'Removed.' } },
	},
	{
		method: 'post',
		path: '/notification/subscriptions/{id}/test',
		summary: 'Send a message to a device of mine that says it is a test',
		who: 'account',
		answers: { 200: { description: 'What became of it.', schema: TestOutcome } },
	},
	{
		method: 'get',
		path: '/notification/preferences/{domain}',
		summary: 'How I want to be called about alerts of a domain',
		description: 'Before anything is set, nothing is sent.',
		who: 'member',
		answers: { 200: { description: 'What holds.', schema: Preferences } },
	},
	{
		method: 'put',
		path: '/notification/preferences/{domain}',
		summary: 'Say how I want to be called about alerts of a domain and those below it',
		who: 'member',
		request: { schema: Preferences },
		answers: { 200: { description: 'What holds now.', schema: Preferences } },
	},
	{
		method: 'post',
		path: '/notification/preferences/{domain}/mail-test',
		summary: 'Send an e-mail to me that says it is a test',
		who: 'member',
		answers: { 200: { description: 'What became of it.', schema: TestOutcome } },
	},
	{
		method: 'get',
		path: '/notification/unsubscribe/{token}',
		summary: 'The page of a link that ends e-mails',
		description: 'Changes nothing.',
		who: 'anyone',
		answers: { 200: { description: 'A page with a button.', schema: Type.String(), type: 'text/html' } },
	},
	{
		method: 'post',
		path: '/notification/unsubscribe/{token}',
		summary: 'End e-mails about alerts of a domain by the link in one of them',
		who: 'anyone',
		answers: { 200: { description: 'Ended.', schema: Type.String(), type: 'text/html' } },
	},
];
