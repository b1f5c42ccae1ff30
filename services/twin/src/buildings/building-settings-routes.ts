import {
	type BuildingColumns,
	columnsRequest,
	type MetricLookup,
	type Thresholds,
	thresholdsProblems,
} from '@crowdvision/contracts';
import {
	invalid,
	jsonBody,
	parseBody,
	type RetainedTable,
	type Router,
	requireMatch,
	tagOf,
} from '@crowdvision/service-kit';
import type { BuildingDocument } from '../store.ts';
import type { Buildings } from './buildings.ts';
import { idOf, ifMatch, memberships } from './requests.ts';

/** The default columns of a dashboard: all metrics except those that count events. */
const defaultColumns = (catalog: MetricLookup) => catalog.keys().filter((key) => catalog.describe(key).kind !== 'flow');

export interface BuildingSettingsRouteParts {
	buildings: Buildings;
	tables: { buildings: RetainedTable };
	catalog: MetricLookup;
}

/** `/buildings/{id}/thresholds` and `/buildings/{id}/columns`. */
export function addBuildingSettingsRoutes(
	router: Router,
	{ buildings, tables, catalog }: BuildingSettingsRouteParts,
): void {
	router.get('/buildings/:id/thresholds', async (request, response) => {
		const { thresholds } = await buildings.get(idOf(request), memberships(request), 'business_staff');
		response.set('ETag', tagOf(thresholds)).json(thresholds);
	});

	router.put('/buildings/:id/thresholds', jsonBody(), async (request, response) => {
		const { building } = await buildings.change(idOf(request), {
			memberships: memberships(request),
			role: 'business_staff',
			apply: (before) => {
				const problems = thresholdsProblems(
					request.body,
					new Map(before.rooms.map((room) => [room.id, room])),
					catalog,
				);
				if (problems.length > 0) throw invalid(problems);
				requireMatch(ifMatch(request), before.thresholds);
				return { ...before, thresholds: request.body as Thresholds };
			},
		});
		await tables.buildings.changed(building.id);
		response.set('ETag', tagOf(building.thresholds)).json(building.thresholds);
	});

	router.get('/buildings/:id/columns', async (request, response) => {
		const columns = columnsOf(await buildings.get(idOf(request), memberships(request)), catalog);
		response.set('ETag', tagOf(columns)).json(columns);
	});

	router.put('/buildings/:id/columns', jsonBody(), async (request, response) => {
		await buildings.get(idOf(request), memberships(request), 'business_staff');
		const { columns } = parseBody(columnsRequest, request.body);
		requireKnown(columns, catalog);
		const { building } = await buildings.change(idOf(request), {
			memberships: memberships(request),
			role: 'business_staff',
			apply: (before) => {
				requireMatch(ifMatch(request), columnsOf(before, catalog));
				return { ...before, columns };
			},
		});
		response.set('ETag', tagOf(columnsOf(building, catalog))).json(columnsOf(building, catalog));
	});
}

const columnsOf = ({ columns }: BuildingDocument, catalog: MetricLookup): BuildingColumns => ({
	columns: columns ?? defaultColumns(catalog),
});

/** @throws CrowdVisionError `invalid` with the path of each metric that nobody defines */
function requireKnown(columns: readonly string[], catalog: MetricLookup): void {
	const problems = columns.flatMap((key, index) =>
		catalog.definition(key)
			? []
			: [{ path: `/columns/${index}`, message: `must be one of ${catalog.allKeys().join(', ')}` }],
	);
	if (problems.length > 0) throw invalid(problems);
}
