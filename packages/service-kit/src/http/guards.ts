import { type AccountClaims, CrowdVisionError, ROLES, type Role, weightIn } from '@crowdvision/contracts';
import type { Tokens } from '../tokens/tokens.ts';
import type { Request, RequestHandler } from './app.ts';

/**
 * Cookies of a browser session. Browsers do not tell the ports of a host apart, so auth adds `-` and letters of its own
 * installation. A browser takes at most 4096 bytes per cookie: a longer token goes on in `_1`, `_2` and `_3`.
 */
export const SESSION_COOKIE = 'crowdvision_session';
export const SESSION_COOKIE_PARTS = ['', '_1', '_2', '_3'] as const;
const SESSION_COOKIES = /^crowdvision_session(?:-[a-z0-9]{1,16})?$/;
/** Installations on one host whose cookies are tried. */
const MAX_SESSIONS = 5;

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

/**
 * The tokens in a browser's session cookies, of this installation and of others on the same host; the one in the cookie
 * `own` first.
 */
export function sessionTokens(request: { headers: { cookie?: string | undefined } }, own?: string): string[] {
	const { cookie } = request.headers;
	if (cookie === undefined) return [];
	const cookies = new Map(cookie.split(';').map((part) => part.trim().split('=', 2) as [string, string | undefined]));
	const names = [...cookies.keys()].filter((name) => SESSION_COOKIES.test(name));
	return names
		.sort((a, b) => Number(b === own) - Number(a === own))
		.slice(0, MAX_SESSIONS)
		.map((name) => {
			const parts = SESSION_COOKIE_PARTS.map((suffix) => cookies.get(`${name}${suffix}`));
			const end = parts.findIndex((part) => !part);
			return parts.slice(0, end < 0 ? parts.length : end).join('');
		})
		.filter((token) => token !== '');
}

/**
 * The claims in the first of a browser's session cookies that is valid here. `evenIfRevoked` as in
 * `Tokens.verifyAccount`.
 * @throws CrowdVisionError `unauthenticated`
 */
export async function verifySession(
	tokens: Tokens,
	request: { headers: { cookie?: string | undefined } },
	options?: { evenIfRevoked: boolean },
): Promise<AccountClaims> {
	let failure: unknown = new CrowdVisionError('unauthenticated', 'Sign in first: no token was sent');
	for (const [index, token] of sessionTokens(request, tokens.sessionCookie).entries()) {
		try {
			return await tokens.verifyAccount(token, options);
		} catch (error) {
			if (index === 0) failure = error;
		}
	}
	throw failure;
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
	const token = bearerToken(request);
	const claims = await (token ? tokens.verifyAccount(token, options) : verifySession(tokens, request, options));
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
