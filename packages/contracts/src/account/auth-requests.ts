import Type, { type Static } from 'typebox';
import { DomainName } from '../building/building.ts';
import { idProblem, Name, unseenProblem } from '../names/names.ts';
import { PlaceId, SensorId } from '../reading/reading.ts';
import { checked, validator } from '../validator.ts';
import { Membership } from './claims.ts';

/** Bodies of requests to auth and of its responses. Times are epoch ms unless stated otherwise. */

const Email = Type.String({ pattern: '^[^\\s@]{1,64}@[^\\s@]{1,189}$', description: 'an e-mail address' });
const closed = { additionalProperties: false };
/** A longer password only costs time to hash. */
const MAX_PASSWORD_LENGTH = 1024;
export const NewPassword = Type.String({ minLength: 8, maxLength: MAX_PASSWORD_LENGTH });
export const GivenPassword = Type.String({ minLength: 1, maxLength: MAX_PASSWORD_LENGTH });

/** Roles within a domain; `admin` exists for the whole platform only. */
export const DOMAIN_ROLES = ['business_admin', 'business_staff', 'standard_customer'] as const;
export type DomainRole = (typeof DOMAIN_ROLES)[number];
const DomainRole = Type.Enum([...DOMAIN_ROLES]);

// Sessions

/** `POST /auth/register` */
export const RegisterRequest = Type.Object({
	email: Email,
	password: NewPassword,
	name: Name(),
});
export type RegisterRequest = Static<typeof RegisterRequest>;
export const registerRequest = checked(validator(RegisterRequest), ({ email }) => [
	{ path: '/email', message: idProblem(email) },
]);

/** `POST /auth/login` */
export const LoginRequest = Type.Object({
	email: Type.String({ minLength: 1, maxLength: 254 }),
	password: GivenPassword,
});
export const loginRequest = validator(LoginRequest);

/** `PUT /auth/me/password`: ends every other session of the account. */
export const PasswordChange = Type.Object({ password: GivenPassword, newPassword: NewPassword }, closed);
export const passwordChange = validator(PasswordChange);

/** An account as it sees itself. An account that signs in by a provider only has no `email`. */
export const AccountView = Type.Object({ id: Type.String(), name: Type.String(), email: Type.Optional(Type.String()) });
export type AccountView = Static<typeof AccountView>;

/** The languages of the page and of messages. */
export const LANGUAGES = ['en', 'it'] as const;
export type Language = (typeof LANGUAGES)[number];

/** `GET /auth/me` */
export const MeResponse = Type.Object({
	...AccountView.properties,
	memberships: Type.Array(Membership),
	contact: Type.Optional(
		Type.Object({
			email: Type.String({ description: 'where messages go: its own address, or the one its provider states' }),
			confirmed: Type.Boolean({ description: 'by a link that was sent to it; only then are messages sent there' }),
		}),
	),
	language: Type.Optional(Type.Enum([...LANGUAGES], { description: 'of messages to it' })),
});

/** `PATCH /auth/me` */
export const AccountChange = Type.Object({ language: Type.Enum([...LANGUAGES]) }, closed);
export const accountChange = validator(AccountChange);

/** The token for programs, besides the cookie for browsers; `expiresIn` in seconds. */
export const SessionResponse = Type.Object({ token: Type.String(), expiresIn: Type.Integer() });
export type SessionResponse = Static<typeof SessionResponse>;

/** A session of one's own account. */
export const SessionView = Type.Object({
	id: Type.String(),
	current: Type.Boolean({ description: 'whether it is the one that asks' }),
	startedAt: Type.Number({ description: 'epoch ms, as the times below' }),
	renewedAt: Type.Number(),
	expiresAt: Type.Number({ description: 'unless it is renewed before' }),
	userAgent: Type.Optional(Type.String({ description: 'what the browser or program calls itself' })),
	address: Type.Optional(Type.String({ description: 'from where it was renewed last' })),
});
export type SessionView = Static<typeof SessionView>;

// Domains

/** `POST /auth/domains` */
export const NewDomainRequest = Type.Object({ name: DomainName, public: Type.Optional(Type.Boolean()) });
export const newDomainRequest = validator(NewDomainRequest);

/** `POST /auth/domains/{name}/subdomains`: the new domain is named `{name}/{its name}`. */
export const NewSubdomainRequest = Type.Object({
	name: Type.String({
		pattern: '^[a-z0-9][a-z0-9-]{0,62}$',
		description: 'one part of a name: 1 to 63 of a-z, 0-9 and -',
	}),
	public: Type.Optional(Type.Boolean()),
});
export const newSubdomainRequest = validator(NewSubdomainRequest);

/** `PATCH /auth/domains/{name}` */
export const DomainChange = Type.Object({ public: Type.Boolean() }, closed);
export const domainChange = validator(DomainChange);

/** A domain as one of its members sees it; `inherited`: by membership in a domain above it. */
export const DomainView = Type.Object({
	name: Type.String(),
	role: Membership.properties.role,
	public: Type.Boolean(),
	inherited: Type.Optional(Type.Boolean()),
});
export type DomainView = Static<typeof DomainView>;

// Invites and members

/** `POST /auth/domains/{name}/join`; the code may be omitted for a public domain. */
export const JoinRequest = Type.Object(
	{
		code: Type.Optional(
			Type.String({
				pattern: '^(?:[\\s-]*[0-9]){6}[\\s-]*$',
				maxLength: 40,
				description: 'a code of 6 digits, also in groups as apps show it: 123 456',
			}),
		),
	},
	closed,
);
export const joinRequest = validator(JoinRequest);

/** The invite of one role, for an authenticator app. `locked`: too many wrong codes were tried; rotate it. */
export const InviteView = Type.Object({
	role: DomainRole,
	secret: Type.String({ description: 'base32' }),
	otpauthUrl: Type.String(),
	period: Type.Integer({ description: 'seconds' }),
	digits: Type.Integer(),
	locked: Type.Boolean(),
});
export type InviteView = Static<typeof InviteView>;

/** `PUT /auth/domains/{name}/members/{accountId}` */
export const MemberChange = Type.Object({ role: DomainRole }, closed);
export const memberChange = validator(MemberChange);

/** A member. `provider`: the issuer by which the account signs in, if not by e-mail address and password. */
export const MemberView = Type.Object({
	accountId: Type.String(),
	name: Type.String(),
	email: Type.Optional(Type.String()),
	provider: Type.Optional(Type.String()),
	role: DomainRole,
	since: Type.Number(),
});
export type MemberView = Static<typeof MemberView>;

/** An invitation into a domain, as the invited account sees it. */
export const InvitationView = Type.Object({
	id: Type.String(),
	domainName: Type.String(),
	role: DomainRole,
	at: Type.Number({ description: 'epoch ms' }),
});
export type InvitationView = Static<typeof InvitationView>;

// Devices

/** `POST /auth/domains/{name}/devices` */
export const NewDeviceRequest = Type.Object({
	name: Name(),
	buildingId: Type.Optional(PlaceId),
	sensorIds: Type.Optional(Type.Array(SensorId, { minItems: 1, maxItems: 1000 })),
});
export type NewDeviceRequest = Static<typeof NewDeviceRequest>;
export const newDeviceRequest = checked(validator(NewDeviceRequest), ({ buildingId }) => [
	{ path: '/buildingId', message: buildingId === undefined ? undefined : unseenProblem(buildingId) },
]);

export const DeviceView = Type.Object({
	deviceId: Type.String(),
	domainName: Type.String(),
	...NewDeviceRequest.properties,
	createdAt: Type.Number(),
	revokedAt: Type.Optional(Type.Number()),
});
export type DeviceView = Static<typeof DeviceView>;

// Sign-in by a provider

/** `PUT /auth/domains/{name}/sso`. `clientSecret` is never shown; if it is omitted the previous one stays. */
export const SsoRequest = Type.Object(
	{
		issuer: Type.String({
			minLength: 9,
			maxLength: 500,
			pattern: '^https?://[^\\s?#@]+$',
			description: 'the URL of an OpenID provider, without query',
		}),
		clientId: Name(500, 'the id'),
		clientSecret: Type.Optional(Name(1000, 'the secret')),
		defaultRole: Type.Optional(Type.Enum(['business_staff', 'standard_customer'])),
		emailDomains: Type.Optional(
			Type.Array(
				Type.String({
					pattern: '^[a-z0-9.-]{1,253}$',
					description: 'the part of an e-mail address after the @, in lower case',
				}),
				{
					minItems: 1,
					maxItems: 20,
				},
			),
		),
	},
	closed,
);
export type SsoRequest = Static<typeof SsoRequest>;
export const ssoRequest = validator(SsoRequest);

/** `GET /auth/domains/{name}/sso`; `redirectUri` has to be registered with the provider. */
export const SsoView = Type.Object({
	issuer: Type.String(),
	clientId: Type.String(),
	hasSecret: Type.Boolean(),
	defaultRole: Type.Enum(['business_staff', 'standard_customer']),
	emailDomains: Type.Optional(Type.Array(Type.String())),
	redirectUri: Type.String(),
});
export type SsoView = Static<typeof SsoView>;

// Signing keys

/** `GET /auth/keys`, for platform admins. */
export const SigningKeyView = Type.Object({
	kid: Type.String(),
	createdAt: Type.Number(),
	state: Type.Enum(['coming', 'signing', 'verifying']),
	verifiesUntil: Type.Optional(Type.Number()),
});
export type SigningKeyView = Static<typeof SigningKeyView>;
