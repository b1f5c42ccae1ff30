import { CrowdVisionError } from '@crowdvision/contracts';
import { sessionToken, type Tokens } from '@crowdvision/service-kit';
import type { ExtendedError, Socket } from 'socket.io';
import type { DashboardData } from './dashboards.ts';

/** Socket.IO's guard: only who shows an account's token gets in, in `auth.token` or as the session cookie of the same site. */
export function authenticate(tokens: Tokens) {
	return async (socket: Socket, next: (error?: ExtendedError) => void): Promise<void> => {
		try {
			const claims = await tokens.verifyAccount(tokenOf(socket));
			(socket.data as DashboardData).claims = claims;
			next();
		} catch (error) {
			const refusal = error instanceof CrowdVisionError ? error : new CrowdVisionError('internal', 'Something went wrong here');
			next(Object.assign(new Error(refusal.message), { data: refusal.toBody() }));
		}
	};
}

function tokenOf({ handshake }: Socket): string {
	const { token } = handshake.auth as { token?: unknown };
	if (typeof token === 'string') return token;
	const cookie = sessionToken(handshake);
	if (cookie === undefined) throw new CrowdVisionError('unauthenticated', 'Sign in first: no token was sent');
	// A browser sends the cookie on its own account: another site's page must not profit from that.
	const { origin, host } = handshake.headers;
	if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host)) {
		throw new CrowdVisionError('unauthenticated', 'The session counts on its own site only');
	}
	return cookie;
}
