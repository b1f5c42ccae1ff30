/** The requests that auth serves, with their answers. */
import Type from 'typebox';
import {
	DeviceView,
	DomainChange,
	DomainView,
	InviteView,
	JoinRequest,
	MemberChange,
	MemberView,
	NewDeviceRequest,
	NewDomainRequest,
	NewSubdomainRequest,
	SigningKeyView,
	SsoRequest,
	SsoView,
} from '../account/auth-requests.ts';
import { INVITATION_OPERATIONS } from './invitation-api.ts';
import type { Operation } from './operation.ts';
import { pageOf, pageQuery } from './paging.ts';
import { RECOVERY_OPERATIONS } from './recovery-api.ts';
import { SESSION_OPERATIONS } from './session-api.ts';

const DOMAINS: readonly Operation[] = [
	{
		method: 'post',
		path: '/auth/domains',
		summary: 'Create a domain, with the caller as its business_admin',
		who: 'account',
		request: { schema: NewDomainRequest },
		answers: { 201: { description: 'Created; private unless requested otherwise.', schema: DomainView } },
		errors: ['conflict', 'not_found', 'forbidden'],
	},
	{
		method: 'get',
		path: '/auth/domains',
		summary: 'List my domains, or with public=1 the domains that anybody may join',
		who: 'account',
		query: Type.Object({ public: Type.Optional(Type.Enum(['1'])), ...pageQuery() }),
		answers: {
			200: {
				description: 'Ordered by name.',
				schema: pageOf('domains', Type.Union([DomainView, Type.Object({ name: Type.String() })])),
			},
		},
		errors: ['bad_request', 'invalid'],
	},
	{
		method: 'post',
		path: '/auth/domains/{name}/subdomains',
		summary: 'Create a subdomain',
		description: 'It is named `{name}/{its name}`; members of the domain above are members of it too.',
		who: 'business_admin',
		request: { schema: NewSubdomainRequest },
		answers: { 201: { description: 'Created.', schema: DomainView } },
		errors: ['conflict'],
	},
	{
		method: 'patch',
		path: '/auth/domains/{name}',
		summary: 'Make a domain public or private',
		who: 'business_admin',
		request: { schema: DomainChange },
		answers: { 200: { description: 'The new state.', schema: DomainView } },
		errors: ['conflict'],
	},
	{
		method: 'delete',
		path: '/auth/domains/{name}',
		summary: 'Remove an empty domain',
		who: 'business_admin',
		answers: { 204: { description: 'Removed.' } },
		errors: ['conflict'],
	},
	{
		method: 'get',
		path: '/auth/domains/{name}/invites',
		summary: 'Get the invites of all roles, for an authenticator app',
		who: 'business_admin',
		answers: {
			200: {
				description: 'Secrets: anybody who has one can let people join.',
				schema: Type.Object({ invites: Type.Array(InviteView) }),
			},
		},
	},
	{
		method: 'post',
		path: '/auth/domains/{name}/invites/{role}/rotate',
		summary: 'Replace the invite of a role',
		who: 'business_admin',
		answers: { 200: { description: 'The new invite.', schema: InviteView } },
	},
	{
		method: 'post',
		path: '/auth/domains/{name}/join',
		summary: 'Become a member, with a code of 6 digits unless the domain is public',
		who: 'account',
		request: { schema: JoinRequest },
		answers: { 200: { description: 'Sign in again or refresh to have it in the token.', schema: DomainView } },
		errors: ['forbidden'],
	},
	{
		method: 'get',
		path: '/auth/domains/{name}/members',
		summary: 'List the members',
		who: 'business_admin',
		query: Type.Object(pageQuery()),
		answers: { 200: { description: 'Ordered by name.', schema: pageOf('members', MemberView) } },
		errors: ['bad_request', 'invalid'],
	},
	{
		method: 'get',
		path: '/auth/domains/{name}/members/{accountId}',
		summary: 'Get a member',
		who: 'business_admin',
		answers: { 200: { description: 'The member.', schema: MemberView } },
	},
	{
		method: 'put',
		path: '/auth/domains/{name}/members/{accountId}',
		summary: "Change a member's role, or invite an account",
		description:
			'Nobody can give or take a role above their own, and the last business_admin stays one. An account that is no ' +
			'member is invited, and becomes one when it accepts.',
		who: 'business_admin',
		request: { schema: MemberChange },
		answers: {
			200: { description: 'The new state.', schema: MemberView },
			202: {
				description: 'The account was invited, if there is one with this id.',
				schema: Type.Object({ invited: Type.Literal(true) }),
			},
		},
		errors: ['conflict'],
	},
	{
		method: 'delete',
		path: '/auth/domains/{name}/members/{accountId}',
		summary: 'End a membership, or take an invitation back',
		who: 'business_admin',
		answers: { 204: { description: 'Ended.' } },
		errors: ['conflict'],
	},
];

const DEVICES: readonly Operation[] = [
	{
		method: 'post',
		path: '/auth/domains/{name}/devices',
		summary: 'Create a device and its token',
		description: 'The token is valid for five years and shown only once.',
		who: 'business_admin',
		request: { schema: NewDeviceRequest },
		answers: {
			201: { description: 'Created.', schema: Type.Object({ deviceId: Type.String(), token: Type.String() }) },
		},
	},
	{
		method: 'get',
		path: '/auth/domains/{name}/devices',
		summary: 'List the devices of a domain, including revoked ones',
		who: 'business_admin',
		query: Type.Object(pageQuery()),
		answers: { 200: { description: 'Newest first.', schema: pageOf('devices', DeviceView) } },
		errors: ['bad_request', 'invalid'],
	},
	...['/auth/domains/{name}/devices/{deviceId}', '/auth/domains/{name}/devices'].map(
		(path): Operation => ({
			method: 'delete',
			path,
			summary: path.endsWith('}') ? 'Revoke the tokens of a device' : 'The same, with the device as ?deviceId=',
			description: 'Takes effect everywhere within a minute.',
			who: 'business_admin',
			...(!path.endsWith('}') && { query: Type.Object({ deviceId: Type.String() }) }),
			answers: { 204: { description: 'Revoked.' } },
			errors: ['bad_request'],
		}),
	),
];

const SIGN_IN_BY_PROVIDER: readonly Operation[] = [
	{
		method: 'get',
		path: '/auth/domains/{name}/sso',
		summary: 'Get how members sign in by a provider',
		who: 'business_admin',
		answers: { 200: { description: 'Without the secret.', schema: SsoView } },
	},
	{
		method: 'put',
		path: '/auth/domains/{name}/sso',
		summary: 'Let members sign in by an OpenID provider',
		who: 'business_admin',
		request: { schema: SsoRequest },
		answers: { 200: { description: 'The new state.', schema: SsoView } },
		errors: ['conflict'],
	},
	{
		method: 'delete',
		path: '/auth/domains/{name}/sso',
		summary: 'End sign-in by a provider',
		who: 'business_admin',
		answers: { 204: { description: 'Ended.' } },
	},
	{
		method: 'get',
		path: '/auth/sso/{domain}',
		summary: 'Start sign-in by the provider of a domain',
		who: 'anyone',
		query: Type.Object({ to: Type.Optional(Type.String({ description: 'a path of this site to return to' })) }),
		answers: { 302: { description: 'Redirect to the provider, with PKCE S256, a nonce and an opaque state.' } },
	},
	{
		method: 'get',
		path: '/auth/sso/callback',
		summary: 'Where the provider redirects the browser to',
		who: 'anyone',
		answers: { 302: { description: 'Signed in; redirect to the page where it started.' } },
		errors: ['bad_request', 'forbidden', 'unauthenticated'],
	},
];

const KEYS: readonly Operation[] = [
	{
		method: 'get',
		path: '/auth/.well-known/jwks.json',
		summary: 'Get the public keys that verify tokens, if tokens are signed by key pair (RFC 7517)',
		who: 'anyone',
		answers: {
			200: {
				description: 'Empty if tokens are signed by the shared secret.',
				schema: Type.Object({ keys: Type.Array(Type.Object({ kid: Type.String() })) }),
			},
		},
	},
	{
		method: 'get',
		path: '/auth/keys',
		summary: 'List the signing keys and their states',
		who: 'admin',
		answers: { 200: { description: 'Newest first.', schema: Type.Object({ keys: Type.Array(SigningKeyView) }) } },
		errors: ['not_found'],
	},
	{
		method: 'post',
		path: '/auth/keys/rotate',
		summary: 'Create another key, which signs a minute from now',
		who: 'admin',
		answers: { 201: { description: 'Created.', schema: Type.Object({ kid: Type.String() }) } },
		errors: ['not_found'],
	},
	{
		method: 'delete',
		path: '/auth/keys/{kid}',
		summary: 'Withdraw a key, which voids all that it signed',
		who: 'admin',
		answers: { 204: { description: 'Withdrawn.' } },
		errors: ['conflict'],
	},
];

export const AUTH_OPERATIONS: readonly Operation[] = [
	...SESSION_OPERATIONS,
	...DOMAINS,
	...INVITATION_OPERATIONS,
	...DEVICES,
	...SIGN_IN_BY_PROVIDER,
	...KEYS,
	...RECOVERY_OPERATIONS,
];
