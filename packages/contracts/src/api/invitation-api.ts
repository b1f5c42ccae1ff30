/** The requests by which an account answers its invitations into domains. */
import Type from 'typebox';
import { DomainView, InvitationView } from '../account/auth-requests.ts';
import type { Operation } from './operation.ts';
import { pageOf, pageQuery } from './paging.ts';

export const INVITATION_OPERATIONS: readonly Operation[] = [
	{
		method: 'get',
		path: '/auth/invitations',
		summary: 'List the invitations of my account',
		who: 'account',
		query: Type.Object(pageQuery()),
		answers: { 200: { description: 'Newest first.', schema: pageOf('invitations', InvitationView) } },
		errors: ['bad_request', 'invalid'],
	},
	{
		method: 'post',
		path: '/auth/invitations/{id}/accept',
		summary: 'Accept an invitation',
		who: 'account',
		answers: { 200: { description: 'The domain, and the role in it.', schema: DomainView } },
		errors: ['forbidden'],
	},
	{
		method: 'delete',
		path: '/auth/invitations/{id}',
		summary: 'Decline an invitation',
		who: 'account',
		answers: { 204: { description: 'Declined.' } },
	},
];
