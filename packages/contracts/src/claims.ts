import Type, { type Static } from 'typebox';
import { validator } from './validator.ts';

/** Roles and their weights: a right that needs weight w is held by every role of weight >= w. */
export const ROLES = { admin: 100, business_admin: 80, business_staff: 60, standard_customer: 10 } as const;
export type Role = keyof typeof ROLES;

export const Membership = Type.Object({
	domainName: Type.String({ minLength: 1 }),
	role: Type.Enum(Object.keys(ROLES) as Role[]),
});
export type Membership = Static<typeof Membership>;

/** Claims of an account's token; `sub` is the account's id. */
export const AccountClaims = Type.Object({
	sub: Type.String({ minLength: 1 }),
	name: Type.String(),
	memberships: Type.Array(Membership),
	exp: Type.Number(),
	iat: Type.Number(),
	jti: Type.String(),
});
export type AccountClaims = Static<typeof AccountClaims>;
export const accountClaims = validator(AccountClaims);

/** Claims of a device's token. Without `sensorIds` and `buildingId` its scope is the buildings of its domain. */
export const DeviceClaims = Type.Object({
	sub: Type.String({ pattern: '^device:.+$' }),
	domainName: Type.String({ minLength: 1 }),
	sensorIds: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
	buildingId: Type.Optional(Type.String({ minLength: 1 })),
	exp: Type.Number(),
	iat: Type.Number(),
	jti: Type.String(),
});
export type DeviceClaims = Static<typeof DeviceClaims>;
export const deviceClaims = validator(DeviceClaims);

/** A domain covers itself and its subdomains; `a/b` lies below `a`. */
export function domainCovers(domain: string, candidate: string): boolean {
	return candidate === domain || candidate.startsWith(`${domain}/`);
}

/** The highest weight these memberships give in any of `domainNames`; 0 for none. */
export function weightIn(memberships: readonly Membership[], domainNames: readonly string[]): number {
	let weight = 0;
	for (const { domainName, role } of memberships) {
		if (domainNames.some((candidate) => domainCovers(domainName, candidate))) weight = Math.max(weight, ROLES[role]);
	}
	return weight;
}
