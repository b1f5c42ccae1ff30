import type { MetricLookup } from '@crowdvision/contracts';
import type { Router } from '@crowdvision/service-kit';
import type { Readings } from '@crowdvision/store';
import type { Buildings } from '../buildings/buildings.ts';
import { idOf, memberships } from '../buildings/requests.ts';
import { history } from './history.ts';
import { parseHistoryQuery } from './history-query.ts';

export interface HistoryRouteParts {
	buildings: Buildings;
	readings: Readings;
	catalog: MetricLookup;
	/** Epoch ms, by the clock that readings are judged by. */
	now: () => number;
}

/** `/buildings/{id}/history`. */
export function addHistoryRoutes(
	router: Router,
	{ buildings, readings, catalog, now: clock }: HistoryRouteParts,
): void {
	router.get('/buildings/:id/history', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request));
		const now = clock();
		const query = parseHistoryQuery(building, request.query, now, catalog);
		const [roomId, ...others] = query.roomIds;
		const own =
			others.length === 0 && query.sensorId === undefined ? query.combine?.[roomId!]?.[query.metric] : undefined;
		response.json({ points: await history(readings, query, now, catalog), ...(own && { combine: own }) });
	});
}
