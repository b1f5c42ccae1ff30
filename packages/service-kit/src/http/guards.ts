import { type AccountClaims, CrowdVisionError, ROLES, type Role, weightIn } from '@crowdvision/contracts';
import type { Tokens } from '../tokens/tokens.ts';
import type { Request, RequestHandler } from './app.ts';

/**
 * The cookie of a browser session. A browser takes at most 4096 bytes per cookie: a longer token goes on in the next.
 */
export const SESSION_COOKIE = 'crowdvision_session';
export const SESSION_COOKIES = [
	SESSION_COOKIE,
	`${SESSION_COOKIE}_1`,
	`${SESSION_COOKIE}_2`,
	`${SESSION_COOKIE}_3`,
] as const;

const BEARER = /^Bearer +/i;

/**
 * The token of `Authorization: Bearer …` (RFC 6750, section 2.1), or undefined. Its characters are checked when it is
 * verified: checking them here would cost a request more than the rest of its authentication, since most tokens are
 * known.
 */
export function bearerToken({
	headers: { authorization },
}: {
	headers: { authorization?: string | undefined };
}): string | undefined {
	const scheme = authorization && BEARER.exec(authorization)?.[0];
	if (!scheme) return undefined;
	return authorization.slice(scheme.length).trimEnd() || undefined;
}

/** The token of a browser's session cookies, or undefined. */
export function sessionToken(request: { headers: { cookie?: string | undefined } }): string | undefined {
	const { cookie } = request.headers;
	if (cookie === undefined) return undefined;
	const cookies = new Map(cookie.split(';').map((part) => part.trim().split('=', 2) as [string, string | undefined]));
	let token = '';
	for (const name of SESSION_COOKIES) {
		const part = cookies.get(name);
		if (!part) break;
		token += part;
	}
	return token || undefined;
}

const callers = new WeakMap<Request, AccountClaims>();

/**
 * The account that sent a request, by its bearer token or else by its session cookie (same-site only). `evenIfRevoked`
 * as in `Tokens.verifyAccount`.
 * @throws CrowdVisionError `unauthenticated`
 */
export async function authenticate(
	tokens: Tokens,
	request: Request,
	options?: { evenIfRevoked: boolean },
): Promise<AccountClaims> {
	const token = bearerToken(request) ?? sessionToken(request);
	if (!token) throw new CrowdVisionError('unauthenticated', 'Sign in first: no token was sent');
	const claims = await tokens.verifyAccount(token, options);
	callers.set(request, claims);
	return claims;
}

/** Lets only requests of accounts pass; `callerOf(request)` then returns the claims. */
export function requireAccount(tokens: Tokens): RequestHandler {
	return async (request, _response, next) => {
		await authenticate(tokens, request);
		next();
	};
}

/** The claims of a request that passed `authenticate`. */
export function callerOf(request: Request): AccountClaims {
	const claims = callers.get(request);
	if (!claims) throw new Error('callerOf needs authenticate before it');
	return claims;
}

/**
 * Checks that the account has at least `role` in one of the domains that own a thing; `what` names the thing.
 * @throws CrowdVisionError `not_found` for an account outside these domains, `forbidden` for a member with a lower
 * role.
 */
export function requireRole(
	claims: Pick<AccountClaims, 'memberships'>,
	domainNames: readonly string[],
	role: Role,
	what: string,
): void {
	const weight = weightIn(claims.memberships, domainNames);
	if (weight === 0) throw new CrowdVisionError('not_found', `There is no ${what}`);
	if (weight < ROLES[role]) throw new CrowdVisionError('forbidden', `This needs the role ${role} or a higher one`);
}
