import { pipeline } from 'node:stream/promises';
import type { MetricLookup } from '@crowdvision/contracts';
import type { Router } from '@crowdvision/service-kit';
import type { Readings } from '@crowdvision/store';
import type { Buildings } from '../buildings/buildings.ts';
import { idOf, memberships } from '../buildings/requests.ts';
import { exportLines } from './export.ts';
import { history } from './history.ts';
import { parseExportQuery, parseHistoryQuery } from './history-query.ts';

export interface HistoryRouteParts {
	buildings: Buildings;
	readings: Readings;
	catalog: MetricLookup;
	/** Epoch ms, by the clock that readings are judged by. */
	now: () => number;
}

/** `/buildings/{id}/history` and `/buildings/{id}/export`. */
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

	router.get('/buildings/:id/export', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request));
		const now = clock();
		const query = parseExportQuery(building, request.query, now, catalog);
		const day = (at: number) => new Date(at).toISOString().slice(0, 10);
		response.attachment(`${building.id}-${query.metric}-${day(query.from)}-${day(query.to)}.csv`);
		response.type('text/csv; charset=utf-8; header=present');
		try {
			await pipeline(exportLines({ readings, catalog }, building, query, now), response);
		} catch (error) {
			// What was sent cannot be taken back: the connection is closed, so that nobody takes a part for the whole.
			if (!response.headersSent) throw error;
			response.destroy();
		}
	});
}
