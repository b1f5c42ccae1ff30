import { Router, requireAccount, type Tokens } from '@crowdvision/service-kit';
import { mayLookAt, staffOnly } from './access.ts';
import type { Devices } from './devices.ts';
import { addCommandRoutes, type CommandRouteParts } from './downlink/command-routes.ts';
import type { Ledger } from './ledger.ts';
import type { Rejected } from './rejected.ts';

const MOST_LISTED = 200;

/** What staff may look at, without the prefix `/gateway`. Each sees what is of its domains; a port of this machine is an admin's. */
export function gatewayRoutes({
	tokens,
	devices,
	rejected,
	ledger,
	...commands
}: CommandRouteParts & {
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
	router.use('/devices', guard, staffOnly);
	addCommandRoutes(router, commands);
	return router;
}
