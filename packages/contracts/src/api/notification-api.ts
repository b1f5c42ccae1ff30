/** The requests that the notification service serves, with their answers. */
import Type from 'typebox';
import { Alert } from '../alert/alert.ts';
import { ALERT_LIST_LIMIT } from './http.ts';
import type { Operation } from './operation.ts';

export const NOTIFICATION_OPERATIONS: readonly Operation[] = [
	{
		method: 'get',
		path: '/notification/alerts',
		summary: 'List the alerts of your buildings, newest first',
		who: 'member',
		query: Type.Object({ limit: Type.Optional(Type.Integer(ALERT_LIST_LIMIT)) }),
		answers: {
			200: { description: 'The alerts in their present states.', schema: Type.Object({ alerts: Type.Array(Alert) }) },
		},
	},
	{
		method: 'post',
		path: '/notification/alerts/{id}/ack',
		summary: 'Acknowledge an alert',
		description: 'Repeating it changes nothing.',
		who: 'business_staff',
		answers: { 200: { description: 'The alert, acknowledged.', schema: Alert } },
		errors: ['conflict'],
	},
];
