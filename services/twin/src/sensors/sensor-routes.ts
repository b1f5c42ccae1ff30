import { CrowdVisionError, newSensorRequest, STREAMS } from '@crowdvision/contracts';
import { jsonBody, nextCursorOf, pageOf, parseBody, type RetainedTable, type Router } from '@crowdvision/service-kit';
import type { Latest, Readings } from '@crowdvision/store';
import type { Buildings } from '../buildings/buildings.ts';
import { idOf, memberships } from '../buildings/requests.ts';
import type { Sensors } from './sensors.ts';

export interface SensorRouteParts {
	buildings: Buildings;
	sensors: Sensors;
	readings: Readings;
	tables: { sensors: RetainedTable };
}

/** `/buildings/{id}/sensors`. */
export function addSensorRoutes(router: Router, { buildings, sensors, readings, tables }: SensorRouteParts): void {
	router.get('/buildings/:id/sensors', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request), 'business_staff');
		const page = pageOf(request, ['number', 'string', 'string']);
		const [{ sensors: found, next }, { latest }] = await Promise.all([
			sensors.list(building.id, page),
			readings.latest(STREAMS.telemetry, building.id),
		]);
		const names = namesOf(latest);
		const named = found.map((sensor) => ({ ...sensor, ...names.get(sensor.sensorId) }));
		response.json({ sensors: named, ...nextCursorOf(next) });
	});

	router.post('/buildings/:id/sensors', jsonBody(), async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request), 'business_staff');
		const { sensorId, roomId, cadenceSeconds } = parseBody(newSensorRequest, request.body);
		const { key, sensor } = await sensors.register({ sensorId, buildingId: building.id, roomId, cadenceSeconds });
		await tables.sensors.changed(key);
		response.status(201).json(sensor);
	});

	router.delete('/buildings/:id/sensors{/:sensorId}', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request), 'business_staff');
		const sensorId = request.params.sensorId ?? request.query.sensorId;
		if (typeof sensorId !== 'string')
			throw new CrowdVisionError('bad_request', 'Name the sensor: DELETE …/sensors/{sensorId}');
		await tables.sensors.changed(await sensors.remove(building.id, sensorId));
		response.status(204).end();
	});
}

/** The display name of each sensor that has one, as its newest reading said. */
function namesOf(latest: readonly Latest[]): ReadonlyMap<string, { sensorName: string }> {
	const byAge = [...latest].sort((a, b) => a.observedAt - b.observedAt);
	return new Map(
		byAge.flatMap(({ sensorId, sensorName }) => (sensorName === undefined ? [] : [[sensorId, { sensorName }]])),
	);
}
