import type { Membership } from '@crowdvision/contracts';
import { authenticate, type Request, type RequestHandler, type Tokens } from '@crowdvision/service-kit';
import type { SessionCookies } from './session-cookies.ts';
import type { Sessions } from './sessions.ts';

export interface SessionParts {
	tokens: Tokens;
	sessions: Sessions;
}

export interface TokenParts extends SessionParts {
	cookies: SessionCookies;
	memberships: { of(accountId: string): Promise<Membership[]> };
}

/** Signs a session token with the account's current memberships; no earlier revocation voids it. */
export async function tokenFor(
	{ tokens, memberships, sessions }: TokenParts,
	account: { id: string; name: string },
): Promise<string> {
	const [current, issuedAfter] = await Promise.all([memberships.of(account.id), sessions.issuedAfter(account.id)]);
	return tokens.signAccount({ ...account, memberships: current }, issuedAfter);
}

/**
 * The id of the account that sent a request. Auth checks its own store: an ended session is refused at once; a token
 * with outdated memberships is accepted, because auth reads memberships from its store and never from the token.
 * @throws CrowdVisionError `unauthenticated`
 */
export async function requireAccountId({ tokens, sessions }: SessionParts, request: Request): Promise<string> {
	const claims = await authenticate(tokens, request, { evenIfRevoked: true });
	await sessions.requireOpen(claims);
	return claims.sub;
}

/** Admits only requests with an open session; read the claims with `callerOf(request)`. */
export function requireSession(parts: SessionParts): RequestHandler {
	return async (request, _response, next) => {
		await requireAccountId(parts, request);
		next();
	};
}
