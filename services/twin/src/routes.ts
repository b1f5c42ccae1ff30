import { Router, requireAccount } from '@crowdvision/service-kit';
import { addBuildingRoutes, addSensorRoutes } from './building-routes.ts';
import { catalog } from './catalog.ts';
import { history } from './history.ts';
import { parseHistoryQuery } from './history-query.ts';
import { idOf, memberships, type TwinParts } from './parts.ts';
import { addSettingsRoutes } from './settings-routes.ts';
import { buildingState } from './state.ts';

/** Twin's paths, without the prefix. */
export function twinRoutes(parts: TwinParts): Router {
	const router = Router();
	router.get('/metrics', catalog);
	router.use('/buildings', requireAccount(parts.tokens));
	addBuildingRoutes(router, parts);
	addSettingsRoutes(router, parts);
	addSensorRoutes(router, parts);
	addTelemetryRoutes(router, parts);
	return router;
}

function addTelemetryRoutes(router: Router, { buildings, readings, offline }: TwinParts): void {
	router.get('/buildings/:id/state', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request));
		response.json(await buildingState(readings, offline, building, Date.now()));
	});

	router.get('/buildings/:id/history', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request));
		const now = Date.now();
		response.json({ points: await history(readings, parseHistoryQuery(building, request.query, now), now) });
	});
}
