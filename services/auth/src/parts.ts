import type { Membership, Role } from '@crowdvision/contracts';
import {
	authenticate,
	type BuildingDirectory,
	type Request,
	type RequestHandler,
	type RetainedTable,
	type Tokens,
} from '@crowdvision/service-kit';
import type { Accounts } from './accounts.ts';
import type { Devices } from './devices.ts';
import type { Domains } from './domains.ts';
import type { Invites } from './invites.ts';
import type { Memberships } from './memberships.ts';
import type { Sessions } from './sessions.ts';
import type { SigningKeys } from './signing-keys.ts';
import type { Sso } from './sso.ts';
import type { Throttles } from './throttle.ts';

/** What the routes are made of. */
export interface AuthParts {
	accounts: Accounts;
	sessions: Sessions;
	memberships: Memberships;
	domains: Domains;
	invites: Invites;
	devices: Devices;
	sso: Sso;
	/** Where tokens are signed by key pair. */
	signingKeys: SigningKeys | undefined;
	throttles: Throttles;
	tokens: Tokens;
	directory: BuildingDirectory;
	revokedDevices: RetainedTable;
	revokedSessions: RetainedTable;
	publicKeys: RetainedTable | undefined;
	/** Where browsers find this site, as `https://host`; undefined: as the request says. */
	publicUrl: string | undefined;
}

/** A token for an account, with its memberships of now, that no revocation of before voids. */
export async function tokenFor(
	{ tokens, memberships, sessions }: AuthParts,
	account: { id: string; name: string },
): Promise<string> {
	const [now, issuedAfter]: [Membership[], number] = await Promise.all([
		memberships.of(account.id),
		sessions.issuedAfter(account.id),
	]);
	return tokens.signAccount({ ...account, memberships: now }, issuedAfter);
}

/**
 * The account that a request comes from. Auth looks at what it keeps itself: a session that was ended is refused at
 * once, and one whose token tells of memberships that are no more is not, since here none of those count.
 * @throws CrowdVisionError `unauthenticated`
 */
async function accountOf({ tokens, sessions }: AuthParts, request: Request): Promise<string> {
	const claims = await authenticate(tokens, request, { evenIfRevoked: true });
	await sessions.requireOpen(claims);
	return claims.sub;
}

/** Lets only accounts through; the claims are then `callerOf(request)`. */
export function requireSession(parts: AuthParts): RequestHandler {
	return async (request, _response, next) => {
		await accountOf(parts, request);
		next();
	};
}

/**
 * Lets through accounts of this role in the domain of the path. Within auth, what counts is the membership as kept, not
 * as of the token: a new domain's creator need not sign in again to go on.
 */
export function requireInDomain(parts: AuthParts, role: Role): RequestHandler {
	return async (request, _response, next) => {
		const accountId = await accountOf(parts, request);
		weights.set(request, await parts.memberships.require(accountId, domainOf(request), role));
		next();
	};
}

const weights = new WeakMap<Request, number>();

/** The weight that the caller has in the domain of the path; after `requireInDomain`. */
export function weightOf(request: Request): number {
	return weights.get(request) ?? 0;
}

/** The domain of the path, whose slashes come as %2F. */
export const domainOf = (request: Request): string => String(request.params.name);
