import type { BridgeStatus, ConfigurationStatus } from '@crowdvision/contracts';
import { Router, requireAccount, type Tokens } from '@crowdvision/service-kit';
import type { Bridges } from '../bridge/bridges.ts';
import type { DeviceListParts } from '../devices/device-list.ts';
import { mayLookAt, staffOnly } from './access.ts';
import { addCommandRoutes, type CommandRouteParts } from './command-routes.ts';
import { addConfigurationRoutes } from './configuration-routes.ts';
import { addDeviceRoutes } from './device-routes.ts';
import { addRejectedRoutes, type RejectedRouteParts } from './rejected-routes.ts';
import { addTraceRoutes, type TraceRouteParts } from './trace-routes.ts';

/**
 * The HTTP API for staff, without the prefix `/gateway`. Everyone sees what belongs to their domains; who sees what
 * belongs to the machine, access.ts decides.
 */
export function gatewayRoutes({
	tokens,
	configuration,
	bridges,
	...parts
}: CommandRouteParts &
	DeviceListParts &
	RejectedRouteParts &
	TraceRouteParts & {
		tokens: Tokens;
		configuration: () => ConfigurationStatus | undefined;
		bridges: Bridges;
	}): Router {
	const router = Router();
	const guard = requireAccount(tokens);
	router.use('/config', guard);
	addConfigurationRoutes(router, parts.registry, configuration);
	router.use(['/devices', '/rejected', '/trace'], guard, staffOnly);
	addDeviceRoutes(router, parts);
	addCommandRoutes(router, parts);
	addRejectedRoutes(router, parts);
	addTraceRoutes(router, parts);
	router.get('/bridges', guard, staffOnly, (request, response) => {
		const all: BridgeStatus[] = bridges.list();
		const maySeeAll = mayLookAt(request, parts.registry, undefined);
		response.json({ bridges: maySeeAll ? all : all.map(({ name, state, since }) => ({ name, state, since })) });
	});
	return router;
}
