import type { IncomingMessage } from 'node:http';
import { type AccountClaims, CrowdVisionError } from '@crowdvision/contracts';
import { sessionToken } from '@crowdvision/service-kit';
import type { ExtendedError } from 'socket.io';
import type { DashboardSocket } from '../dashboards/dashboard.ts';
import type { Limits } from '../limits/limits.ts';

export interface DoorParts {
	/** The claims of an account's token; rejects with `unauthenticated`. */
	verify: (token: string) => Promise<AccountClaims>;
	limits: Limits;
	/** Dashboards of an account connected to this process, and to the others. */
	dashboardsHere: (accountId: string) => number;
	dashboardsElsewhere: (accountId: string) => Promise<number>;
}

/**
 * Socket.IO's guard: only who shows an account's token gets in, in `auth.token` or as the session cookie of the same
 * site; and no account with more dashboards than the limit. The other replicas are asked only when an account has some
 * here already: most have one or two, and after a restart all come back at once.
 */
export function authenticate({ verify, limits, dashboardsHere, dashboardsElsewhere }: DoorParts) {
	const askFrom = Math.min(10, Math.ceil(limits.perAccount / 2));
	return async (socket: DashboardSocket, next: (error?: ExtendedError) => void): Promise<void> => {
		try {
			const claims = await verify(tokenOf(socket));
			const here = dashboardsHere(claims.sub);
			const elsewhere = here >= askFrom && here < limits.perAccount ? await dashboardsElsewhere(claims.sub) : 0;
			if (here + elsewhere >= limits.perAccount)
				throw new CrowdVisionError(
					'rate_limited',
					`An account may have ${limits.perAccount} dashboards open at most`,
					{},
					30,
				);
			socket.data.claims = claims;
			next();
		} catch (error) {
			const refusal =
				error instanceof CrowdVisionError
					? error
					: new CrowdVisionError('internal', 'Something went wrong on the server: try again later');
			next(Object.assign(new Error(refusal.message), { data: refusal.toBody() }));
		}
	};
}

function tokenOf({
	handshake,
	request,
}: {
	handshake: DashboardSocket['handshake'];
	request: IncomingMessage;
}): string {
	const { token } = handshake.auth as { token?: unknown };
	if (typeof token === 'string') return token;
	const cookie = sessionToken(request);
	if (cookie === undefined) throw new CrowdVisionError('unauthenticated', 'Sign in first: no token was sent');
	// A browser sends the cookie on its own account: another site's page must not profit from that.
	const { origin, host } = request.headers;
	if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host)) {
		throw new CrowdVisionError('unauthenticated', 'The session counts on its own site only');
	}
	return cookie;
}
