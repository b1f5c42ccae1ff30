import type { Router } from '@crowdvision/service-kit';
import type { Buildings } from '../buildings/buildings.ts';
import { idOf, memberships } from '../buildings/requests.ts';
import { buildingState, type StateParts } from './state.ts';

export interface StateRouteParts extends StateParts {
	buildings: Buildings;
	/** Epoch ms, by the clock that readings are judged by. */
	now: () => number;
}

/** `/buildings/{id}/state`. */
export function addStateRoutes(router: Router, { buildings, now, ...parts }: StateRouteParts): void {
	router.get('/buildings/:id/state', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request));
		response.json(await buildingState(parts, building, now()));
	});
}
