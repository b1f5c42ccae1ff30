/** The requests that the notification service serves, with their answers. */
import Type from 'typebox';
import { Alert } from '../alert/alert.ts';
import { Policy, PolicyRequest } from '../calling/policy.ts';
import { CALLING_OPERATIONS } from './calling-api.ts';
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
	{
		method: 'get',
		path: '/notification/buildings/{id}/policy',
		summary: 'Get how people are called about the alerts of a building',
		description: 'The defaults where nobody has set it. The whole can be sent back as it is.',
		who: 'business_staff',
		answers: { 200: { description: 'The policy.', schema: Policy } },
	},
	{
		method: 'put',
		path: '/notification/buildings/{id}/policy',
		summary: 'Set how people are called about the alerts of a building',
		description: 'What is left out has its default. Times are those of the building, by its zone.',
		who: 'business_staff',
		request: { schema: PolicyRequest },
		answers: { 200: { description: 'The new policy.', schema: Policy } },
		errors: ['conflict', 'changed_meanwhile'],
	},
	...CALLING_OPERATIONS,
];
