import { Router, requireAccount, type Tokens } from '@crowdvision/service-kit';
import { mayLookAt, staffOnly } from './access.ts';
import type { Bridges } from './bridge/bridges.ts';
import { addConfigurationRoutes } from './configuration/configuration-routes.ts';
import type { ConfigurationStatus } from './configuration/live-configuration.ts';
import { addDeviceRoutes, type DeviceRouteParts } from './devices/device-routes.ts';
import { addCommandRoutes, type CommandRouteParts } from './downlink/command-routes.ts';
import type { Ledger } from './ledger.ts';
import type { Rejected } from './rejected.ts';

const MOST_LISTED = 200;

/** What staff may look at, without the prefix `/gateway`. Each sees what is of its domains; a port of this machine is an admin's. */
export function gatewayRoutes({
	tokens,
	rejected,
	ledger,
	configuration,
	bridges,
	...parts
}: CommandRouteParts &
	DeviceRouteParts & {
		tokens: Tokens;
		rejected: Rejected;
		ledger: Ledger;
		configuration: () => ConfigurationStatus | undefined;
		bridges: Bridges;
	}): Router {
	const router = Router();
	const guard = requireAccount(tokens);
	router.get('/rejected', guard, staffOnly, (request, response) => {
		response.json({ rejected: rejected.list(MOST_LISTED, ({ domainName }) => mayLookAt(request, domainName)), counts: ledger.summary() });
	});
	router.use('/config', guard);
	addConfigurationRoutes(router, configuration);
	router.use('/devices', guard, staffOnly);
	addDeviceRoutes(router, parts);
	addCommandRoutes(router, parts);
	router.get('/bridges', guard, staffOnly, (_request, response) => {
		response.json({ bridges: bridges.list() });
	});
	return router;
}
