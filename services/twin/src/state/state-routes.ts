import type { Router } from '@crowdvision/service-kit';
import type { Readings } from '@crowdvision/store';
import type { Buildings } from '../buildings/buildings.ts';
import { idOf, memberships } from '../buildings/requests.ts';
import type { OfflineDevices } from './offline-devices.ts';
import { buildingState } from './state.ts';

export interface StateRouteParts {
	buildings: Buildings;
	readings: Readings;
	offline: OfflineDevices;
}

/** `/buildings/{id}/state`. */
export function addStateRoutes(router: Router, { buildings, readings, offline }: StateRouteParts): void {
	router.get('/buildings/:id/state', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request));
		response.json(await buildingState(readings, offline, building, Date.now()));
	});
}
