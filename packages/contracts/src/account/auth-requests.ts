import Type, { type Static } from 'typebox';
import { DomainName } from '../building/building.ts';
import { PlaceId, SensorId } from '../reading/reading.ts';
import { validator } from '../validator.ts';
import { Membership } from './claims.ts';

/** Bodies of requests to auth, and of its answers. Times are epoch ms unless they say otherwise. */

const Email = Type.String({ pattern: '^[^\\s@]{1,64}@[^\\s@]{1,189}$', description: 'an e-mail address' });
const closed = { additionalProperties: false };
/** Longer ones cost time to hash, and no person has them. */
const MOST_PASSWORD = 1024;
const NewPassword = Type.String({ minLength: 8, maxLength: MOST_PASSWORD });
const GivenPassword = Type.String({ minLength: 1, maxLength: MOST_PASSWORD });

/** Roles that somebody can have in a domain; `admin` is the platform's. */
export const DOMAIN_ROLES = ['business_admin', 'business_staff', 'standard_customer'] as const;
export type DomainRole = (typeof DOMAIN_ROLES)[number];
const DomainRole = Type.Enum([...DOMAIN_ROLES]);

// ---------------------------------------------------------------- sessions

/** `POST /auth/register` */
export const RegisterRequest = Type.Object({
	email: Email,
	password: NewPassword,
	name: Type.String({ minLength: 1, maxLength: 200, pattern: '\\S' }),
});
export type RegisterRequest = Static<typeof RegisterRequest>;
export const registerRequest = validator(RegisterRequest);

/** `POST /auth/login` */
export const LoginRequest = Type.Object({
	email: Type.String({ minLength: 1, maxLength: 254 }),
	password: GivenPassword,
});
export const loginRequest = validator(LoginRequest);

/** `PUT /auth/me/password`: ends every other session of the account. */
export const PasswordChange = Type.Object({ password: GivenPassword, newPassword: NewPassword }, closed);
export const passwordChange = validator(PasswordChange);

/** An account as it sees itself. One that signs in by a provider only has no `email`. */
export const AccountView = Type.Object({ id: Type.String(), name: Type.String(), email: Type.Optional(Type.String()) });
export type AccountView = Static<typeof AccountView>;

/** `GET /auth/me` */
export const MeResponse = Type.Object({ ...AccountView.properties, memberships: Type.Array(Membership) });

/** A token, for programs, beside the cookie for browsers; `expiresIn` in seconds. */
export const SessionResponse = Type.Object({ token: Type.String(), expiresIn: Type.Integer() });
export type SessionResponse = Static<typeof SessionResponse>;

// ---------------------------------------------------------------- domains

/** `POST /auth/domains` */
export const NewDomainRequest = Type.Object({ name: DomainName, public: Type.Optional(Type.Boolean()) });
export const newDomainRequest = validator(NewDomainRequest);

/** `POST /auth/domains/{name}/subdomains`: the new one is called `{name}/{its name}`. */
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

// ---------------------------------------------------------------- invites and members

/** `POST /auth/domains/{name}/join`: without a code only where the domain is public. */
export const JoinRequest = Type.Object(
	{ code: Type.Optional(Type.String({ pattern: '^[0-9]{6}$', description: 'a code of 6 digits' })) },
	closed,
);
export const joinRequest = validator(JoinRequest);

/** One role's invite: what an authenticator app needs. `locked`: too many wrong codes were tried; rotate it. */
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

/** `provider`: the issuer this account signs in by, where it is not by e-mail address and password. */
export const MemberView = Type.Object({
	accountId: Type.String(),
	name: Type.String(),
	email: Type.Optional(Type.String()),
	provider: Type.Optional(Type.String()),
	role: DomainRole,
	since: Type.Number(),
});
export type MemberView = Static<typeof MemberView>;

// ---------------------------------------------------------------- devices

/** `POST /auth/domains/{name}/devices` */
export const NewDeviceRequest = Type.Object({
	name: Type.String({ minLength: 1, maxLength: 200 }),
	buildingId: Type.Optional(PlaceId),
	sensorIds: Type.Optional(Type.Array(SensorId, { minItems: 1, maxItems: 1000 })),
});
export type NewDeviceRequest = Static<typeof NewDeviceRequest>;
export const newDeviceRequest = validator(NewDeviceRequest);

export const DeviceView = Type.Object({
	deviceId: Type.String(),
	domainName: Type.String(),
	...NewDeviceRequest.properties,
	createdAt: Type.Number(),
	revokedAt: Type.Optional(Type.Number()),
});
export type DeviceView = Static<typeof DeviceView>;

// ---------------------------------------------------------------- sign-in by a provider

/** `PUT /auth/domains/{name}/sso`. `clientSecret` is never shown; where it is left out the one given before stays. */
export const SsoRequest = Type.Object(
	{
		issuer: Type.String({
			minLength: 9,
			maxLength: 500,
			pattern: '^https?://[^\\s?#@]+$',
			description: 'the URL of an OpenID provider, without query',
		}),
		clientId: Type.String({ minLength: 1, maxLength: 500 }),
		clientSecret: Type.Optional(Type.String({ minLength: 1, maxLength: 1000 })),
		defaultRole: Type.Optional(Type.Enum(['business_staff', 'standard_customer'])),
		emailDomains: Type.Optional(
			Type.Array(
				Type.String({
					pattern: '^[a-z0-9.-]{1,253}$',
					description: 'the part of an e-mail address behind the @, in small letters',
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

/** `GET /auth/domains/{name}/sso`; `redirectUri` is what to register with the provider. */
export const SsoView = Type.Object({
	issuer: Type.String(),
	clientId: Type.String(),
	hasSecret: Type.Boolean(),
	defaultRole: Type.Enum(['business_staff', 'standard_customer']),
	emailDomains: Type.Optional(Type.Array(Type.String())),
	redirectUri: Type.String(),
});
export type SsoView = Static<typeof SsoView>;

// ---------------------------------------------------------------- signing keys

/** `GET /auth/keys`, for platform admins. */
export const SigningKeyView = Type.Object({
	kid: Type.String(),
	createdAt: Type.Number(),
	state: Type.Enum(['coming', 'signing', 'verifying']),
	verifiesUntil: Type.Optional(Type.Number()),
});
export type SigningKeyView = Static<typeof SigningKeyView>;
