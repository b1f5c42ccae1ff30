/** All HTTP routes of twin. */
import type { MetricLookup } from '@crowdvision/contracts';
import { Router, requireAccount, type Tokens } from '@crowdvision/service-kit';
import { addBuildingRoutes, type BuildingRouteParts } from './buildings/building-routes.ts';
import { addBuildingSettingsRoutes } from './buildings/building-settings-routes.ts';
import { catalogRoute } from './catalog.ts';
import { addHistoryRoutes, type HistoryRouteParts } from './history/history-routes.ts';
import { addSensorRoutes, type SensorRouteParts } from './sensors/sensor-routes.ts';
import { addStateRoutes, type StateRouteParts } from './state/state-routes.ts';

export interface TwinParts extends BuildingRouteParts, HistoryRouteParts, StateRouteParts {
	sensors: SensorRouteParts['sensors'];
	tokens: Tokens;
	catalog: MetricLookup;
}

/** Twin's paths, without the prefix `/twin`. */
export function twinRoutes(parts: TwinParts): Router {
	const router = Router();
	router.get('/metrics', catalogRoute(parts.catalog));
	router.use('/buildings', requireAccount(parts.tokens));
	addBuildingRoutes(router, parts);
	addBuildingSettingsRoutes(router, parts);
	addSensorRoutes(router, parts);
	addStateRoutes(router, parts);
	addHistoryRoutes(router, parts);
	return router;
}
