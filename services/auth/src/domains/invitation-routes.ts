/** The HTTP routes of an account's own invitations. */
import { callerOf, nextCursorOf, pageOf, type Router } from '@crowdvision/service-kit';
import type { Accounts } from '../accounts/accounts.ts';
import { requireSession, type SessionParts } from '../accounts/session-guards.ts';
import type { Invitations } from './invitations.ts';

export interface InvitationRouteParts extends SessionParts {
	accounts: Accounts;
	invitations: Invitations;
}

/** `/invitations`, `/invitations/{id}` and `/invitations/{id}/accept`. */
export function addInvitationRoutes(router: Router, parts: InvitationRouteParts): void {
	const { accounts, invitations } = parts;
	const signedIn = requireSession(parts);

	router.get('/invitations', signedIn, async (request, response) => {
		const page = pageOf(request, ['number', 'number', 'string']);
		const { invitations: own, next } = await invitations.of(callerOf(request).sub, page);
		response.set('Cache-Control', 'no-store').json({ invitations: own, ...nextCursorOf(next) });
	});

	router.post('/invitations/:id/accept', signedIn, async (request, response) => {
		const account = await accounts.get(callerOf(request).sub);
		response.json(await invitations.accept(account.id, String(request.params.id)));
	});

	router.delete('/invitations/:id', signedIn, async (request, response) => {
		await invitations.decline(callerOf(request).sub, String(request.params.id));
		response.status(204).end();
	});
}
