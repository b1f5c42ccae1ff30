import type { DomainRole } from '@crowdvision/contracts';
import type { StoreDefinition } from '@crowdvision/store';
import type { Sealed } from './secrets/sealed.ts';

/** What auth keeps. Times are epoch ms unless they say otherwise. */

/**
 * Id: a random one. One that signs in by a provider only has neither `email` nor `password`; what the provider calls
 * its address is `contact`.
 */
export interface AccountDocument {
	email?: string;
	contact?: string;
	name: string;
	password?: string;
	createdAt: number;
	/** Issuer of the provider it signs in by. */
	provider?: string;
}

/** Id: hash of issuer and subject. */
export interface IdentityDocument {
	issuer: string;
	subject: string;
	accountId: string;
	/** Domains it came in by: who was removed from one is not let in again by signing in. */
	domains: string[];
}

/**
 * Id: its name. A removed one keeps its name: device tokens and buildings go on naming it, and nobody else may come to
 * own them.
 */
export interface DomainDocument {
	name: string;
	public: boolean;
	createdAt: number;
	removedAt?: number;
}

/** Id: `${accountId} ${domainName}`. */
export interface MembershipDocument {
	accountId: string;
	domainName: string;
	role: DomainRole;
	since: number;
}

/** Id: the domain's name. */
export interface InvitesDocument {
	roles: Record<DomainRole, { secret: Sealed; failures: number; madeAt: number }>;
}

/** Id: the device's. */
export interface DeviceDocument {
	domainName: string;
	name: string;
	buildingId?: string;
	sensorIds?: string[];
	createdAt: number;
	/** Epoch seconds: `iat` of its newest token. */
	issuedAt: number;
	revoked: boolean;
	revokedAt?: number;
	/** Epoch seconds: tokens of then and before are void. */
	before?: number;
}

/** Id: the domain's name. */
export interface SsoDocument {
	issuer: string;
	clientId: string;
	clientSecret?: Sealed;
	defaultRole: 'business_staff' | 'standard_customer';
	emailDomains?: string[];
}

/** Id: hash of the state. A sign-in under way at a provider; used once. */
export interface SsoStateDocument {
	domainName: string;
	/** With another issuer or client since, the sign-in is void. */
	issuer: string;
	clientId: string;
	nonce: string;
	codeVerifier: string;
	/** Hash of what the browser was given in a cookie. */
	browser: string;
	to: string;
	expiresAt: number;
}

/** Id: the account's. What of its sessions is void. */
export interface SessionsDocument {
	/** Epoch seconds: sessions of then and before are at an end. */
	endedBefore: number;
	/** Epoch seconds: tokens of then and before tell of memberships that are no more; they may still be refreshed. */
	staleBefore: number;
	/** Those that were signed out of. */
	ended: { jti: string; exp: number }[];
	/** From when on nothing of this matters any more. */
	until: number;
}

/** Id: the key's. */
export interface SigningKeyDocument {
	/** Public half of an Ed25519 key, base64url. */
	x: string;
	/** Private half; removed with the end of signing. */
	d?: Sealed;
	createdAt: number;
	/** Told to verifiers before it is used. */
	signsFrom: number;
	retiredAt?: number;
	/** By when every token it signed has expired. */
	verifiesUntil?: number;
	/** Whether it signed a device's token, which lasts for years. */
	devices: boolean;
}

export const AUTH_STORE: StoreDefinition = {
	collections: {
		accounts: { indexes: { email: { fields: ['email'], unique: true } } },
		identities: {},
		domains: { indexes: { name: { fields: ['name'] }, public: { fields: ['public', 'name'] } } },
		memberships: { indexes: { account: { fields: ['accountId'] }, domain: { fields: ['domainName', 'role'] } } },
		invites: {},
		devices: {
			indexes: {
				domain: { fields: ['domainName', 'createdAt'] },
				revoked: { fields: ['revoked'], where: { revoked: true } },
			},
		},
		sso: {},
		ssoStates: { indexes: { expiry: { fields: ['expiresAt'] } } },
		sessions: { indexes: { until: { fields: ['until'] } } },
		signingKeys: {},
	},
};
