import { type BuildingSummary, buildingChange, CrowdVisionError, newSensorRequest } from '@crowdvision/contracts';
import {
	callerOf,
	invalid,
	jsonBody,
	parseBody,
	type Request,
	type RetainedTable,
	Router,
	requireAccount,
	type Tokens,
} from '@crowdvision/service-kit';
import type { SqliteDatabase } from '@crowdvision/store';
import type { Buildings, KeptBuilding } from './buildings.ts';
import { catalog } from './catalog.ts';
import { history, parseHistoryQuery } from './history.ts';
import type { Readings } from './readings.ts';
import type { Sensors } from './sensors.ts';
import { buildingState } from './state.ts';

export interface TwinParts {
	database: SqliteDatabase;
	buildings: Buildings;
	sensors: Sensors;
	readings: Readings;
	tokens: Tokens;
	/** What the others know of buildings and sensors. */
	told: { buildings: RetainedTable; sensors: RetainedTable };
}

export function twinRoutes(parts: TwinParts): Router {
	const router = Router();
	router.get('/metrics', catalog);
	router.use('/buildings', requireAccount(parts.tokens), jsonBody());
	addBuildingRoutes(router, parts);
	addTelemetryRoutes(router, parts);
	addSensorRoutes(router, parts);
	return router;
}

function addBuildingRoutes(router: Router, { buildings, told }: TwinParts): void {
	router.get('/buildings', async (request, response) => {
		response.json({ buildings: (await buildings.visibleTo(memberships(request))).map(summary) });
	});

	router.post('/buildings', async (request, response) => {
		const building = await buildings.create(request.body, memberships(request));
		await told.buildings.changed(building.id);
		response.status(201).json(summary(building));
	});

	router.get('/buildings/:id', async (request, response) => {
		response.json(summary(await buildings.get(idOf(request), memberships(request))));
	});

	router.patch('/buildings/:id', async (request, response) => {
		const { name, domains, rooms } = parseBody(buildingChange, request.body);
		const change = { ...(name !== undefined && { name }), ...(domains && { domains }), ...(rooms && { rooms }) };
		const { building, unregistered } = await buildings.change(idOf(request), change, memberships(request));
		await Promise.all([told.buildings.changed(building.id), told.sensors.changed(...unregistered)]);
		response.json(summary(building));
	});

	router.delete('/buildings/:id', async (request, response) => {
		const id = idOf(request);
		const unregistered = await buildings.remove(id, memberships(request));
		await Promise.all([told.buildings.changed(id), told.sensors.changed(...unregistered)]);
		response.status(204).end();
	});
}

function addTelemetryRoutes(router: Router, { database, buildings, readings }: TwinParts): void {
	router.get('/buildings/:id/state', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request));
		response.json(await buildingState(readings, building, Date.now()));
	});

	router.get('/buildings/:id/history', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request));
		const query = parseHistoryQuery(building.id, request.query, Date.now());
		if (!building.rooms.some((room) => room.id === query.roomId)) throw invalid([{ path: '/room', message: 'is not a room of this building' }]);
		response.json({ points: await history(database, query) });
	});
}

function addSensorRoutes(router: Router, { buildings, sensors, told }: TwinParts): void {
	router.get('/buildings/:id/sensors', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request), 'business_staff');
		response.json({ sensors: await sensors.list(building.id) });
	});

	router.post('/buildings/:id/sensors', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request), 'business_staff');
		const { sensorId, roomId } = parseBody(newSensorRequest, request.body);
		if (!building.rooms.some((room) => room.id === roomId)) throw invalid([{ path: '/roomId', message: 'is not a room of this building' }]);
		const sensor = { sensorId, buildingId: building.id, roomId };
		await sensors.register(sensor);
		await told.sensors.changed(sensorId);
		response.status(201).json(sensor);
	});

	router.delete('/buildings/:id/sensors{/:sensorId}', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request), 'business_staff');
		const sensorId = request.params.sensorId ?? request.query.sensorId;
		if (typeof sensorId !== 'string') throw new CrowdVisionError('bad_request', 'Say which sensor: DELETE …/sensors/{sensorId}');
		await sensors.remove(building.id, sensorId);
		await told.sensors.changed(sensorId);
		response.status(204).end();
	});
}

const idOf = (request: Request): string => String(request.params.id);
const memberships = (request: Request) => callerOf(request).memberships;
const summary = ({ id, name, domains, rooms }: KeptBuilding): BuildingSummary => ({ id, name, domains, rooms });
