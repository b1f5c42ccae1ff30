/** The HTTP routes to sign in, renew a session and sign out, and of the list of one's sessions. */
import { type AccountClaims, CrowdVisionError, loginRequest } from '@crowdvision/contracts';
import {
	bearerToken,
	callerOf,
	nextCursorOf,
	pageOf,
	parseBody,
	type RetainedTable,
	type Router,
	sessionTokens,
} from '@crowdvision/service-kit';
import { authBody } from '../auth-body.ts';
import type { Accounts } from './accounts.ts';
import { requireSession, startSession, type TokenParts } from './session-guards.ts';
import type { Throttles } from './throttle.ts';

export interface SessionRouteParts extends TokenParts {
	accounts: Accounts;
	throttles: Pick<Throttles, 'login' | 'loginAccount' | 'loginAddress'>;
	revokedSessions: RetainedTable;
}

/** `/login`, `/refresh`, `/logout` and `/sessions`. */
export function addSessionRoutes(router: Router, parts: SessionRouteParts): void {
	const { accounts, cookies, openSessions, sessions, throttles, tokens, revokedSessions } = parts;
	const signedIn = requireSession(parts);

	router.post('/login', authBody, async (request, response) => {
		const { email, password } = parseBody(loginRequest, request.body);
		const name = email.trim().toLowerCase();
		const address = String(request.ip);
		const now = Date.now();
		throttles.login.begin(`${name} ${address}`, now);
		throttles.loginAddress.begin(address, now);
		throttles.loginAccount.begin(name, now);
		const account = await accounts.authenticate(email, password);
		throttles.login.succeeded(`${name} ${address}`);
		throttles.loginAccount.succeeded(name);
		// A sign-in to one's own account must not clear the failures that this address caused for other accounts.
		throttles.loginAddress.takeBack(address);
		response.json(await startSession(parts, request, response, account));
	});

	router.post('/refresh', signedIn, async (request, response) => {
		const { sub, jti } = callerOf(request);
		const account = await accounts.get(sub);
		response.json(await startSession(parts, request, response, account, jti));
	});

	router.post('/logout', async (request, response) => {
		await cookies.end(request, response);
		// Without a token, or with one that is void already, the caller is signed out.
		const bearer = bearerToken(request);
		const given = bearer ? [bearer] : sessionTokens(request, tokens.sessionCookie);
		for (const token of given) {
			const claims = await tokens.verifyAccount(token, { evenIfRevoked: true }).catch(() => undefined);
			if (!claims) continue;
			// The token that was sent may not be the session's newest.
			await end((await openSessions.find(claims.sub, claims.jti)) ?? claims);
		}
		response.status(204).end();
	});

	router.get('/sessions', signedIn, async (request, response) => {
		const { sub, jti } = callerOf(request);
		const { sessions: open, next } = await openSessions.of(sub, jti, pageOf(request, ['number', 'number', 'string']));
		response.set('Cache-Control', 'no-store').json({ sessions: open, ...nextCursorOf(next) });
	});

	router.delete('/sessions/:id', signedIn, async (request, response) => {
		const found = await openSessions.find(callerOf(request).sub, String(request.params.id));
		if (!found) throw new CrowdVisionError('not_found', 'There is no such session');
		if (found.jti === callerOf(request).jti) await cookies.end(request, response);
		await end(found);
		response.status(204).end();
	});

	router.delete('/sessions', signedIn, async (request, response) => {
		const { sub, jti } = callerOf(request);
		const account = await accounts.get(sub);
		await sessions.endEvery(sub);
		await openSessions.forgetAll(sub, jti);
		await revokedSessions.changed(sub);
		response.json(await startSession(parts, request, response, account, jti));
	});

	async function end(session: Pick<AccountClaims, 'sub' | 'jti' | 'exp'>): Promise<void> {
		await sessions.end(session);
		await openSessions.forget(session.jti);
		await revokedSessions.changed(session.sub);
	}
}
