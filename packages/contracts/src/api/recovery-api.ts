/** The requests by which people get back into an account, or leave it. Auth serves them. */
import Type from 'typebox';
import {
	AccountRemoval,
	ForgottenPassword,
	PasswordReset,
	RecoveryView,
	ResetLink,
} from '../account/recovery-requests.ts';
import type { Operation } from './operation.ts';

export const RECOVERY_OPERATIONS: readonly Operation[] = [
	{
		method: 'get',
		path: '/auth/providers',
		summary: 'Find the domains with an identity provider for a name or an e-mail address',
		description:
			'The domain of that name, or those that admit such e-mail addresses; at most 5. No list for strangers.',
		who: 'anyone',
		query: Type.Object({ for: Type.String({ maxLength: 320 }) }),
		answers: {
			200: { description: 'Their names.', schema: Type.Object({ domains: Type.Array(Type.String()) }) },
		},
	},
	{
		method: 'get',
		path: '/auth/recovery',
		summary: 'How a forgotten password can be replaced here',
		who: 'anyone',
		answers: { 200: { description: '`mail`: by a link in an e-mail.', schema: RecoveryView } },
	},
	{
		method: 'post',
		path: '/auth/password/forgotten',
		summary: 'Ask for a link by which to set a new password',
		description: 'The answer is the same whether there is such an account or not.',
		who: 'anyone',
		request: { schema: ForgottenPassword },
		answers: { 202: { description: 'Sent, if an account signs in with this e-mail address.' } },
		errors: ['unavailable'],
	},
	{
		method: 'post',
		path: '/auth/password/reset',
		summary: 'Set a new password with the token of a link',
		description: 'A link works once, for an hour. Ends every session of the account.',
		who: 'anyone',
		request: { schema: PasswordReset },
		answers: { 204: { description: 'The password is set.' } },
		errors: ['not_found'],
	},
	{
		method: 'post',
		path: '/auth/domains/{name}/members/{accountId}/password-reset',
		summary: 'Make a link by which a member sets a new password',
		description: 'Only for an account all of whose domains the caller administers. Works once, for a day.',
		who: 'business_admin',
		answers: { 201: { description: 'To be handed to the member; shown once.', schema: ResetLink } },
		errors: ['conflict'],
	},
	{
		method: 'delete',
		path: '/auth/me',
		summary: 'Delete my account',
		description: 'Refused while the account is the only business_admin of a domain.',
		who: 'account',
		request: { schema: AccountRemoval },
		answers: { 204: { description: 'Deleted; every session has ended.' } },
		errors: ['wrong_credentials', 'conflict'],
	},
];
