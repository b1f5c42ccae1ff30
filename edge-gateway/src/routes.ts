import { CrowdVisionError, ROLES, weightIn } from '@crowdvision/contracts';
import { callerOf, type Request, type RequestHandler, Router, requireAccount, type Tokens } from '@crowdvision/service-kit';
import type { Devices } from './devices.ts';
import type { Ledger } from './ledger.ts';
import type { Rejected } from './rejected.ts';

const MOST_LISTED = 200;

/** What staff may look at, without the prefix `/gateway`. Each sees what is of its domains; a port of this machine is an admin's. */
export function gatewayRoutes({
	tokens,
	devices,
	rejected,
	ledger,
}: {
	tokens: Tokens;
	devices: Devices;
	rejected: Rejected;
	ledger: Ledger;
}): Router {
	const router = Router();
	const guard = requireAccount(tokens);
	router.get('/devices', guard, staffOnly, (request, response) => {
		response.json({ devices: devices.list(({ domainName }) => mayLookAt(request, domainName)) });
	});
	router.get('/rejected', guard, staffOnly, (request, response) => {
		response.json({ rejected: rejected.list(MOST_LISTED, ({ domainName }) => mayLookAt(request, domainName)), counts: ledger.summary() });
	});
	return router;
}

const staffOnly: RequestHandler = (request, _response, next) => {
	if (!callerOf(request).memberships.some(({ role }) => ROLES[role] >= ROLES.business_staff)) {
		throw new CrowdVisionError('forbidden', 'This needs the role business_staff or a higher one');
	}
	next();
};

function mayLookAt(request: Request, domainName: string | undefined): boolean {
	const { memberships } = callerOf(request);
	if (domainName === undefined) return memberships.some(({ role }) => ROLES[role] >= ROLES.business_admin);
	return weightIn(memberships, [domainName]) >= ROLES.business_staff;
}
