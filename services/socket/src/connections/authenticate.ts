import type { IncomingMessage } from 'node:http';
import { type AccountClaims, CrowdVisionError } from '@crowdvision/contracts';
import { sessionToken } from '@crowdvision/service-kit';
import type { ExtendedError } from 'socket.io';
import { type DashboardSocket, toClientError } from '../dashboards/dashboard.ts';
import type { Dashboards } from '../dashboards/dashboards.ts';
import type { Limits } from '../limits/limits.ts';
import type { Replicas } from './replicas.ts';

export interface AuthenticateParts {
	/** Resolves with the claims of an account's token; rejects with `unauthenticated`. */
	verify: (token: string) => Promise<AccountClaims>;
	limits: Limits;
	/** Counts the dashboards of an account in this process. */
	dashboards: Pick<Dashboards, 'countOf'>;
	/** Counts them in the other processes; undefined where this one is alone. */
	replicas: Pick<Replicas, 'countElsewhere'> | undefined;
}

/**
 * Socket.IO's middleware that admits a connection: it must present an account's token, in `auth.token` or as the
 * session cookie of the same site, and its account must not have too many dashboards. Other replicas are asked only
 * when the account has several here: most have one or two, and after a restart all come back at once.
 */
export function authenticate({ verify, limits, dashboards, replicas }: AuthenticateParts) {
	const askFrom = Math.min(10, Math.ceil(limits.perAccount / 2));
	return async (socket: DashboardSocket, next: (error?: ExtendedError) => void): Promise<void> => {
		try {
			const claims = await verify(tokenOf(socket));
			const here = dashboards.countOf(claims.sub);
			const asks = replicas && here >= askFrom && here < limits.perAccount;
			const elsewhere = asks ? await replicas.countElsewhere(claims.sub) : 0;
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
			const clientError = toClientError(error);
			next(Object.assign(new Error(clientError.message), { data: clientError.toBody() }));
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
	// A browser sends the cookie with requests of any site's pages; only this site's may use it.
	const { origin, host } = request.headers;
	if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host)) {
		throw new CrowdVisionError('unauthenticated', 'The session cookie may only be used by its own site');
	}
	return cookie;
}
