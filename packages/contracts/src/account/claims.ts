/** The claims of tokens, and the public keys that verify them. */
import Type, { type Static } from 'typebox';
import { validator } from '../validator.ts';
import { ROLES, type Role } from './roles.ts';

export const Membership = Type.Object({
	domainName: Type.String({ minLength: 1 }),
	role: Type.Enum(Object.keys(ROLES) as Role[]),
});
export type Membership = Static<typeof Membership>;

/** Claims of an account's token; `sub` is the account's id. Times are epoch seconds. */
export const AccountClaims = Type.Object({
	sub: Type.String({ minLength: 1 }),
	name: Type.String(),
	memberships: Type.Array(Membership),
	exp: Type.Number(),
	iat: Type.Number(),
	jti: Type.String({ minLength: 1 }),
});
export type AccountClaims = Static<typeof AccountClaims>;
export const accountClaims = validator(AccountClaims);

/** Claims of a device's token. Without `sensorIds` and `buildingId` its scope is the buildings of its domain. */
export const DeviceClaims = Type.Object({
	sub: Type.String({ pattern: '^device:.+$' }),
	domainName: Type.String({ minLength: 1 }),
	sensorIds: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
	buildingId: Type.Optional(Type.String({ minLength: 1 })),
	/** Of the building: the token is not for a later building of its id. Absent in tokens of earlier versions. */
	generation: Type.Optional(Type.String()),
	exp: Type.Number(),
	iat: Type.Number(),
	jti: Type.String({ minLength: 1 }),
});
export type DeviceClaims = Static<typeof DeviceClaims>;
export const deviceClaims = validator(DeviceClaims);

/** An Ed25519 public key as a JWK (RFC 8037), with its only algorithm. */
export const PublicSigningKey = Type.Object({
	kty: Type.Literal('OKP'),
	crv: Type.Literal('Ed25519'),
	x: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
	kid: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }),
	alg: Type.Literal('EdDSA'),
	use: Type.Literal('sig'),
});
export type PublicSigningKey = Static<typeof PublicSigningKey>;
export const publicSigningKey = validator(PublicSigningKey);
