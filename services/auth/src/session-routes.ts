import { loginRequest, passwordChange, registerRequest } from '@crowdvision/contracts';
import { bearerToken, callerOf, parseBody, type Router, sessionToken } from '@crowdvision/service-kit';
import { type AuthParts, requireSession, tokenFor } from './parts.ts';
import { endSession, startSession } from './session-cookies.ts';

export function addSessionRoutes(router: Router, parts: AuthParts): void {
	const { accounts, memberships, sessions, throttles, tokens, revokedSessions } = parts;
	const signedIn = requireSession(parts);

	router.get('/first-run', async (_request, response) => {
		response.json({ empty: await accounts.isEmpty() });
	});

	router.post('/register', async (request, response) => {
		const account = parseBody(registerRequest, request.body);
		throttles.registration.begin(String(request.ip), Date.now());
		const made = await accounts.create(account);
		response.status(201).json({ ...startSession(request, response, await tokenFor(parts, made)), account: made });
	});

	router.post('/login', async (request, response) => {
		const { email, password } = parseBody(loginRequest, request.body);
		const name = email.trim().toLowerCase();
		const tries = [
			[throttles.login, `${name} ${request.ip}`],
			[throttles.loginAddress, String(request.ip)],
			[throttles.loginAccount, name],
		] as const;
		for (const [throttle, key] of tries) throttle.begin(key, Date.now());
		const account = await accounts.authenticate(email, password);
		throttles.login.succeeded(tries[0][1]);
		throttles.loginAccount.succeeded(tries[2][1]);
		// Whoever has one account must not clear with it what the address did to others.
		throttles.loginAddress.takeBack(tries[1][1]);
		response.json(startSession(request, response, await tokenFor(parts, account)));
	});

	router.post('/refresh', signedIn, async (request, response) => {
		response.json(startSession(request, response, await tokenFor(parts, await accounts.get(callerOf(request).sub))));
	});

	router.post('/logout', async (request, response) => {
		endSession(request, response);
		const token = bearerToken(request) ?? sessionToken(request);
		// Whoever signs out with nothing, or with what is void already, is signed out.
		const claims = token
			? await tokens.verifyAccount(token, { evenIfRevoked: true }).catch(() => undefined)
			: undefined;
		if (claims) {
			await sessions.end(claims);
			await revokedSessions.changed(claims.sub);
		}
		response.status(204).end();
	});

	router.get('/me', signedIn, async (request, response) => {
		const account = await accounts.get(callerOf(request).sub);
		response.json({ ...account, memberships: await memberships.of(account.id) });
	});

	router.put('/me/password', signedIn, async (request, response) => {
		const { password, newPassword } = parseBody(passwordChange, request.body);
		const account = await accounts.get(callerOf(request).sub);
		const key = `${account.email} ${request.ip}`;
		throttles.login.begin(key, Date.now());
		await accounts.changePassword(account.id, password, newPassword);
		throttles.login.succeeded(key);
		await revokedSessions.changed(account.id);
		response.json(startSession(request, response, await tokenFor(parts, account)));
	});
}
