import type { DomainRole, Language } from '@crowdvision/contracts';
import type { StoreDefinition } from '@crowdvision/store';
import type { Sealed } from './secrets/sealed.ts';

/**
 * An account of a person. Times here and below are epoch ms unless stated otherwise. Id: a random UUID. One that signs
 * in only through an identity provider has neither `email` nor `password`; the e-mail address that the provider states
 * is `contact`.
 */
export interface AccountDocument {
	email?: string;
	contact?: string;
	name: string;
	/** A hash as of `hashPassword`. */
	password?: string;
	createdAt: number;
	/** Issuer of the provider that it signs in through. */
	provider?: string;
	/** The address that was confirmed by a link; another one than `email` or `contact` says nothing. */
	confirmed?: string;
	/** Of messages to it. */
	language?: Language;
	/** How often its password has changed. */
	generation?: number;
}

/** Where messages to an account go. */
export const contactOf = ({ email, contact }: Pick<AccountDocument, 'email' | 'contact'>): string | undefined =>
	email ?? contact;

/** Id: hash of issuer and subject. */
export interface IdentityDocument {
	issuer: string;
	subject: string;
	accountId: string;
	/** Domains it has signed in to: whoever is removed from one of them does not become a member by signing in again. */
	domains: string[];
}

/**
 * Id: its name. The document stays when the domain is removed, so that nobody can take the name over: device tokens and
 * buildings still refer to it.
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

/** An invitation that its account has neither accepted nor declined. Id: hash of account and domain. */
export interface InvitationDocument {
	accountId: string;
	domainName: string;
	role: DomainRole;
	at: number;
}

/** Id: the domain's name. */
export interface InvitesDocument {
	roles: Record<DomainRole, { secret: Sealed; failures: number; madeAt: number }>;
}

/** Id: the device's id. */
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
	/** Epoch seconds: tokens issued then or earlier are void. */
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

/** A sign-in under way at a provider, which can be completed once. Id: hash of its state. */
export interface SsoStateDocument {
	domainName: string;
	/** The sign-in is void when the domain's issuer or client has changed since. */
	issuer: string;
	clientId: string;
	nonce: string;
	codeVerifier: string;
	/** Hash of the browser's cookie. */
	browser: string;
	/** Path of this site to return to. */
	to: string;
	expiresAt: number;
}

/** A link by which the owner of an account sets a new password. Id: hash of its token. */
export interface PasswordResetDocument {
	accountId: string;
	expiresAt: number;
	/** Hash of the password's hash at the time: the link is void once the password has changed. */
	passwordHash: string;
}

/** A session that may still be open. Id: the `jti` of its tokens. */
export interface OpenSessionDocument {
	accountId: string;
	startedAt: number;
	/** When its newest token was issued, and when that expires. */
	renewedAt: number;
	expiresAt: number;
	/** What the browser or program calls itself, and its address, at the last renewal. */
	userAgent?: string;
	address?: string;
}

/** That an account was deleted, so that other services hear of it. Id: the account's id. */
export interface RemovedAccountDocument {
	at: number;
}

/** Revocations of an account's tokens. Id: the account's id. */
export interface SessionsDocument {
	/** Epoch seconds: sessions begun then or earlier have ended. */
	endedBefore: number;
	/** Epoch seconds: tokens issued then or earlier carry outdated memberships; they can still be refreshed. */
	staleBefore: number;
	/** Sessions that were signed out, with the expiry of their tokens in epoch seconds. */
	ended: { jti: string; exp: number }[];
	/** When all tokens it concerns have expired, so that it can be removed. */
	until: number;
}

/** Id: the key's id (`kid`). */
export interface SigningKeyDocument {
	/** Public half of an Ed25519 key, base64url. */
	x: string;
	/** Private half; absent once the key is retired. */
	d?: Sealed;
	createdAt: number;
	/** Later than `createdAt`, so that verifiers know the key before it is used. */
	signsFrom: number;
	retiredAt?: number;
	/** When every token it signed has expired. */
	verifiesUntil?: number;
	/** Whether it has signed a device token, which lasts for years. */
	devices: boolean;
}

/** The shared secrets that have signed tokens, the present one last. One document. */
export interface SecretsDocument {
	/** `from`: epoch seconds, since when it has signed. */
	periods: { fingerprint: string; from: number }[];
}

/** The collections of auth. */
export const AUTH_STORE: StoreDefinition = {
	collections: {
		accounts: {
			indexes: { email: { fields: ['email'], unique: true }, createdAt: { fields: ['createdAt'] } },
		},
		identities: { indexes: { account: { fields: ['accountId'] } } },
		domains: { indexes: { name: { fields: ['name'] }, public: { fields: ['public', 'name'] } } },
		memberships: { indexes: { account: { fields: ['accountId'] }, domain: { fields: ['domainName', 'role'] } } },
		invites: {},
		invitations: { indexes: { account: { fields: ['accountId', 'at'] } } },
		devices: {
			indexes: {
				domain: { fields: ['domainName', 'createdAt'] },
				revoked: { fields: ['revoked'], where: { revoked: true } },
			},
		},
		sso: {},
		ssoStates: { indexes: { expiry: { fields: ['expiresAt'] } } },
		/** Id: what was taken over from an earlier version. */
		takenOver: {},
		removedAccounts: { indexes: { at: { fields: ['at'] } } },
		sessions: { indexes: { until: { fields: ['until'] } } },
		openSessions: {
			indexes: { account: { fields: ['accountId', 'startedAt'] }, expiry: { fields: ['expiresAt'] } },
		},
		signingKeys: {},
		secrets: {},
		passwordResets: { indexes: { account: { fields: ['accountId'] }, expiry: { fields: ['expiresAt'] } } },
	},
};
