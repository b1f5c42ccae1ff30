import { randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
	type AccountClaims,
	accountClaims,
	CrowdVisionError,
	type DeviceClaims,
	deviceClaims,
	type Membership,
	ROLES,
	type Role,
	weightIn,
} from '@crowdvision/contracts';
import { jwtVerify, SignJWT } from 'jose';
import type { Request, RequestHandler } from './http.ts';

const ISSUER = 'crowdvision';
const ACCOUNTS = 'account';
const DEVICES = 'device';
export const ACCOUNT_SECONDS = 3 * 3600;
const DEVICE_SECONDS = 5 * 365 * 24 * 3600;

/** The cookie a browser session is kept in. */
export const SESSION_COOKIE = 'crowdvision_session';

/** Signs and verifies tokens locally, with the shared secret (HS256). An account's token is never a device's, nor the reverse. */
export class Tokens {
	readonly #key: Uint8Array;

	constructor(secret: string) {
		this.#key = new TextEncoder().encode(secret);
	}

	/** A token for an account, good for three hours. */
	signAccount(account: { id: string; name: string; memberships: Membership[] }): Promise<string> {
		return this.#sign({ name: account.name, memberships: account.memberships }, account.id, ACCOUNTS, ACCOUNT_SECONDS);
	}

	/** A token for a device, good for five years. */
	signDevice(device: { id: string; domainName: string; sensorIds?: string[]; buildingId?: string }): Promise<string> {
		const { id, ...scope } = device;
		return this.#sign(scope, `device:${id}`, DEVICES, DEVICE_SECONDS);
	}

	/** @throws CrowdVisionError `unauthenticated` */
	async verifyAccount(token: string): Promise<AccountClaims> {
		const claims = await this.#verify(token, ACCOUNTS);
		if (!accountClaims.check(claims)) throw new CrowdVisionError('unauthenticated', "The token is not an account's");
		return claims;
	}

	/** @throws CrowdVisionError `unauthenticated` */
	async verifyDevice(token: string): Promise<DeviceClaims> {
		const claims = await this.#verify(token, DEVICES);
		if (!deviceClaims.check(claims)) throw new CrowdVisionError('unauthenticated', "The token is not a device's");
		return claims;
	}

	#sign(payload: Record<string, unknown>, subject: string, audience: string, seconds: number): Promise<string> {
		return new SignJWT(payload)
			.setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
			.setSubject(subject)
			.setIssuer(ISSUER)
			.setAudience(audience)
			.setIssuedAt()
			.setJti(randomUUID())
			.setExpirationTime(`${seconds}s`)
			.sign(this.#key);
	}

	async #verify(token: string, audience: string): Promise<unknown> {
		try {
			const { payload } = await jwtVerify(token, this.#key, { algorithms: ['HS256'], issuer: ISSUER, audience });
			return payload;
		} catch (error) {
			const expired = (error as { code?: string }).code === 'ERR_JWT_EXPIRED';
			throw new CrowdVisionError('unauthenticated', expired ? 'The token has expired' : 'The token is not valid here');
		}
	}
}

/** The secret of the environment, or the one kept in `dataDir` (mode 0600), made at the first start. */
export function loadSecret(fromEnvironment: string | undefined, dataDir: string): string {
	if (fromEnvironment) return fromEnvironment;
	const path = join(dataDir, 'jwt-secret');
	try {
		const kept = readFileSync(path, 'utf8').trim();
		if (kept.length >= 32) return kept;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
	}
	mkdirSync(dataDir, { recursive: true, mode: 0o700 });
	const secret = randomBytes(48).toString('base64url');
	writeFileSync(path, `${secret}\n`, { mode: 0o600, flush: true });
	chmodSync(path, 0o600);
	return secret;
}

/** The token of `Authorization: Bearer …`, or undefined. */
export function bearerToken(request: { headers: { authorization?: string | undefined } }): string | undefined {
	return /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(request.headers.authorization ?? '')?.[1];
}

/** The token of a browser's session cookie, or undefined. */
export function sessionToken(request: { headers: { cookie?: string | undefined } }): string | undefined {
	for (const part of (request.headers.cookie ?? '').split(';')) {
		const [name, value] = part.trim().split('=', 2);
		if (name === SESSION_COOKIE) return value;
	}
	return undefined;
}

const callers = new WeakMap<Request, AccountClaims>();

/** Lets only accounts through; the claims are then `callerOf(request)`. Bearer first, else the session cookie (same-site only). */
export function requireAccount(tokens: Tokens): RequestHandler {
	return async (request, _response, next) => {
		const token = bearerToken(request) ?? sessionToken(request);
		if (!token) throw new CrowdVisionError('unauthenticated', 'Sign in first: no token was sent');
		callers.set(request, await tokens.verifyAccount(token));
		next();
	};
}

/** The account behind a request that passed `requireAccount`. */
export function callerOf(request: Request): AccountClaims {
	const claims = callers.get(request);
	if (!claims) throw new Error('callerOf needs requireAccount before it');
	return claims;
}

/**
 * @throws CrowdVisionError `not_found` for somebody who may not even know of the thing, `forbidden` for a member of too little weight.
 */
export function requireRole(claims: Pick<AccountClaims, 'memberships'>, domainNames: readonly string[], role: Role, what: string): void {
	const weight = weightIn(claims.memberships, domainNames);
	if (weight === 0) throw new CrowdVisionError('not_found', `There is no ${what}`);
	if (weight < ROLES[role]) throw new CrowdVisionError('forbidden', `This needs the role ${role} or a higher one`);
}
