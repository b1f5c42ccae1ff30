import { randomUUID } from 'node:crypto';
import type { Membership, SessionResponse } from '@crowdvision/contracts';
import { authenticate, type Request, type RequestHandler, type Response, type Tokens } from '@crowdvision/service-kit';
import { decodeJwt } from 'jose';
import type { OpenSessions } from './open-sessions.ts';
import type { SessionCookies } from './session-cookies.ts';
import type { Sessions } from './sessions.ts';

export interface SessionParts {
	tokens: Tokens;
	sessions: Sessions;
}

export interface TokenParts extends SessionParts {
	cookies: SessionCookies;
	openSessions: OpenSessions;
	memberships: { of(accountId: string): Promise<Membership[]> };
}

/**
 * Signs a token with the account's current memberships, which no earlier revocation voids, and sends it to the caller.
 * @param session the session that it renews; default: it begins one
 */
export async function startSession(
	{ tokens, memberships, sessions, openSessions, cookies }: TokenParts,
	request: Request,
	response: Response,
	account: { id: string; name: string },
	session: string = randomUUID(),
): Promise<SessionResponse> {
	const [current, issuedAfter] = await Promise.all([memberships.of(account.id), sessions.issuedAfter(account.id)]);
	const token = await tokens.signAccount({ ...account, memberships: current, session }, issuedAfter);
	await openSessions.record(
		{ id: session, accountId: account.id, issuedAt: decodeJwt(token).iat! },
		{ userAgent: request.get('user-agent'), address: request.ip },
	);
	return cookies.start(request, response, token);
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
