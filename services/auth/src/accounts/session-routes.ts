/** The HTTP routes to sign in, renew a session and sign out. */
import { loginRequest } from '@crowdvision/contracts';
import {
	bearerToken,
	callerOf,
	parseBody,
	type RetainedTable,
	type Router,
	sessionTokens,
} from '@crowdvision/service-kit';
import type { Accounts } from './accounts.ts';
import { requireSession, type TokenParts, tokenFor } from './session-guards.ts';
import type { Throttles } from './throttle.ts';

export interface SessionRouteParts extends TokenParts {
	accounts: Accounts;
	throttles: Pick<Throttles, 'login' | 'loginAccount' | 'loginAddress'>;
	revokedSessions: RetainedTable;
}

/** `/login`, `/refresh` and `/logout`. */
export function addSessionRoutes(router: Router, parts: SessionRouteParts): void {
	const { accounts, cookies, sessions, throttles, tokens, revokedSessions } = parts;

	router.post('/login', async (request, response) => {
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
		response.json(await cookies.start(request, response, await tokenFor(parts, account)));
	});

	router.post('/refresh', requireSession(parts), async (request, response) => {
		const account = await accounts.get(callerOf(request).sub);
		response.json(await cookies.start(request, response, await tokenFor(parts, account)));
	});

	router.post('/logout', async (request, response) => {
		await cookies.end(request, response);
		// Without a token, or with one that is void already, the caller is signed out.
		const bearer = bearerToken(request);
		const given = bearer ? [bearer] : sessionTokens(request, tokens.sessionCookie);
		for (const token of given) {
			const claims = await tokens.verifyAccount(token, { evenIfRevoked: true }).catch(() => undefined);
			if (!claims) continue;
			await sessions.end(claims);
			await revokedSessions.changed(claims.sub);
		}
		response.status(204).end();
	});
}
