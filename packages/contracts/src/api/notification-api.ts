/** The requests that the notification service serves, with their answers. */
import Type from 'typebox';
import { Alert } from '../alert/alert.ts';
import { ALERT_LIST_LIMIT } from './http.ts';
import type { Operation } from './operation.ts';
import { pageOf, pageQuery } from './paging.ts';

export const NOTIFICATION_OPERATIONS: readonly Operation[] = [
	{
		method: 'get',
		path: '/notification/alerts',
		summary: 'List the alerts of your buildings: the unresolved ones first, then the rest, each newest first',
		who: 'member',
		query: Type.Object(pageQuery(ALERT_LIST_LIMIT)),
		errors: ['bad_request', 'invalid'],
		answers: {
			200: { description: 'The alerts in their present states.', schema: pageOf('alerts', Alert) },
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
