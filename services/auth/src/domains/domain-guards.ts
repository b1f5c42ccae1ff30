import type { Role } from '@crowdvision/contracts';
import type { Request, RequestHandler } from '@crowdvision/service-kit';
import { requireAccountId, type SessionParts } from '../accounts/session-guards.ts';
import type { Memberships } from './memberships.ts';

export interface DomainGuardParts extends SessionParts {
	memberships: Memberships;
}

const weights = new WeakMap<Request, number>();

/**
 * Admits accounts that have at least this role in the domain named in the path. The stored membership counts, not the
 * token's, so whoever creates a domain can administer it without signing in again.
 */
export function requireInDomain(parts: DomainGuardParts, role: Role): RequestHandler {
	return async (request, _response, next) => {
		const accountId = await requireAccountId(parts, request);
		weights.set(request, await parts.memberships.require(accountId, domainOf(request), role));
		next();
	};
}

/** The caller's weight in the domain of the path; call it after `requireInDomain`. */
export function weightOf(request: Request): number {
	return weights.get(request) ?? 0;
}

/** The domain name in the path, whose slashes are sent as %2F. */
export const domainOf = (request: Request): string => String(request.params.name);
