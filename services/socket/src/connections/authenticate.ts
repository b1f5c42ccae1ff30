import { type AccountClaims, CrowdVisionError } from '@crowdvision/contracts';
import { type Site, type Tokens, verifySession } from '@crowdvision/service-kit';
import type { ExtendedError } from 'socket.io';
import { type DashboardSocket, toClientError } from '../dashboards/dashboard.ts';
import type { Dashboards } from '../dashboards/dashboards.ts';
import type { Limits } from '../limits/limits.ts';
import type { Replicas } from './replicas.ts';

export interface AuthenticateParts {
	tokens: Tokens;
	site: Site;
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
export function authenticate({ tokens, site, limits, dashboards, replicas }: AuthenticateParts) {
	const askFrom = Math.min(10, Math.ceil(limits.perAccount / 2));
	const claimsOf = ({ handshake, request }: DashboardSocket): Promise<AccountClaims> => {
		const { token } = handshake.auth as { token?: unknown };
		if (typeof token === 'string') return tokens.verifyAccount(token);
		// A browser sends the cookie with requests of any site's pages; only this site's may use it.
		if (request.headers.cookie !== undefined && !site.isOwnOrigin(request))
			throw new CrowdVisionError(
				'unauthenticated',
				'The session cookie may only be used by its own site: set PUBLIC_URL, or have the proxy pass on the Host',
				{ path: '/origin' },
			);
		return verifySession(tokens, request);
	};
	return async (socket: DashboardSocket, next: (error?: ExtendedError) => void): Promise<void> => {
		try {
			const claims = await claimsOf(socket);
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
