/** The requests by which people sign in and out. Auth serves them. */
import Type from 'typebox';
import {
	AccountChange,
	AccountView,
	LoginRequest,
	MeResponse,
	PasswordChange,
	RegisterRequest,
	SessionResponse,
	SessionView,
} from '../account/auth-requests.ts';
import type { Operation } from './operation.ts';
import { pageOf, pageQuery } from './paging.ts';

export const SESSION_OPERATIONS: readonly Operation[] = [
	{
		method: 'get',
		path: '/auth/first-run',
		summary: 'Whether no account exists yet',
		who: 'anyone',
		answers: {
			200: { description: '`empty` is true if no account exists.', schema: Type.Object({ empty: Type.Boolean() }) },
		},
	},
	{
		method: 'post',
		path: '/auth/register',
		summary: 'Create an account and sign in',
		who: 'anyone',
		request: { schema: RegisterRequest },
		answers: {
			201: { description: 'Signed in.', schema: Type.Object({ ...SessionResponse.properties, account: AccountView }) },
		},
		errors: ['conflict'],
	},
	{
		method: 'post',
		path: '/auth/login',
		summary: 'Sign in',
		description:
			'The token is valid for three hours; it is in the body for programs and in an httpOnly cookie for browsers.',
		who: 'anyone',
		request: { schema: LoginRequest },
		answers: { 200: { description: 'Signed in.', schema: SessionResponse } },
		errors: ['wrong_credentials'],
	},
	{
		method: 'post',
		path: '/auth/refresh',
		summary: 'Get a fresh token with the present memberships',
		who: 'account',
		answers: { 200: { description: 'Valid for another three hours.', schema: SessionResponse } },
	},
	{
		method: 'post',
		path: '/auth/logout',
		summary: 'Sign out',
		who: 'anyone',
		answers: { 204: { description: 'Signed out.' } },
	},
	{
		method: 'get',
		path: '/auth/sessions',
		summary: 'List the open sessions of my account',
		description: 'A session is a sign-in with all tokens by which it was renewed.',
		who: 'account',
		query: Type.Object(pageQuery()),
		answers: { 200: { description: 'The one begun last first.', schema: pageOf('sessions', SessionView) } },
		errors: ['bad_request', 'invalid'],
	},
	{
		method: 'delete',
		path: '/auth/sessions/{id}',
		summary: 'End a session of my account',
		description: 'Takes effect in every service at once.',
		who: 'account',
		answers: { 204: { description: 'Ended.' } },
	},
	{
		method: 'delete',
		path: '/auth/sessions',
		summary: 'End all my other sessions',
		who: 'account',
		answers: {
			200: { description: 'A new token for this session; all earlier ones are void.', schema: SessionResponse },
		},
	},
	{
		method: 'get',
		path: '/auth/me',
		summary: 'Get my account',
		who: 'account',
		answers: { 200: { description: 'The account of the token.', schema: MeResponse } },
	},
	{
		method: 'patch',
		path: '/auth/me',
		summary: 'Choose the language of messages to me',
		who: 'account',
		request: { schema: AccountChange },
		answers: { 200: { description: 'The account.', schema: MeResponse } },
	},
	{
		method: 'post',
		path: '/auth/me/contact/confirmation',
		summary: 'Have a link sent that confirms my e-mail address',
		description: 'Messages about alerts go to confirmed addresses only. The link holds for a week.',
		who: 'account',
		answers: { 202: { description: 'The mail server took the e-mail.' } },
		errors: ['conflict', 'unavailable'],
	},
	{
		method: 'get',
		path: '/auth/confirm/{token}',
		summary: 'The page of a link that confirms an e-mail address',
		description: 'Changes nothing: programs that look into e-mails open links.',
		who: 'anyone',
		answers: { 200: { description: 'A page with a button.', schema: Type.String(), type: 'text/html' } },
	},
	{
		method: 'post',
		path: '/auth/confirm/{token}',
		summary: 'Confirm an e-mail address by the link that was sent to it',
		who: 'anyone',
		answers: { 200: { description: 'Confirmed.', schema: Type.String(), type: 'text/html' } },
	},
	{
		method: 'put',
		path: '/auth/me/password',
		summary: 'Change my password',
		description: 'Ends every other session of the account.',
		who: 'account',
		request: { schema: PasswordChange },
		answers: { 200: { description: 'Signed in again.', schema: SessionResponse } },
		errors: ['wrong_credentials'],
	},
];
