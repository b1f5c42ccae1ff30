import { passwordChange, registerRequest } from '@crowdvision/contracts';
import { callerOf, languageOf, parseBody, type RetainedTable, type Router } from '@crowdvision/service-kit';
import { authBody } from '../auth-body.ts';
import type { Accounts } from './accounts.ts';
import { requireSession, startSession, type TokenParts } from './session-guards.ts';
import type { Throttles } from './throttle.ts';

export interface AccountRouteParts extends TokenParts {
	accounts: Accounts;
	throttles: Pick<Throttles, 'login' | 'registration'>;
	revokedSessions: RetainedTable;
}

/** `/first-run`, `/register`, `/me` and `/me/password`. */
export function addAccountRoutes(router: Router, parts: AccountRouteParts): void {
	const { accounts, memberships, openSessions, throttles, revokedSessions } = parts;
	const signedIn = requireSession(parts);

	router.get('/first-run', async (_request, response) => {
		response.json({ empty: await accounts.isEmpty() });
	});

	router.post('/register', authBody, async (request, response) => {
		const account = parseBody(registerRequest, request.body);
		throttles.registration.begin(String(request.ip), Date.now());
		const created = await accounts.create(account, { language: languageOf(request) });
		const session = await startSession(parts, request, response, created);
		response.status(201).json({ ...session, account: created });
	});

	router.get('/me', signedIn, async (request, response) => {
		const account = await accounts.me(callerOf(request).sub);
		response.json({ ...account, memberships: await memberships.of(account.id) });
	});

	router.put('/me/password', signedIn, authBody, async (request, response) => {
		const { password, newPassword } = parseBody(passwordChange, request.body);
		const account = await accounts.get(callerOf(request).sub);
		const key = `${account.email} ${request.ip}`;
		throttles.login.begin(key, Date.now());
		await accounts.changePassword(account.id, password, newPassword);
		throttles.login.succeeded(key);
		await openSessions.forgetAll(account.id);
		await revokedSessions.changed(account.id);
		response.json(await startSession(parts, request, response, account));
	});
}
