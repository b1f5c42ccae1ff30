import { CrowdVisionError, newSensorRequest } from '@crowdvision/contracts';
import { jsonBody, nextCursorOf, pageOf, parseBody, type RetainedTable, type Router } from '@crowdvision/service-kit';
import type { Buildings } from '../buildings/buildings.ts';
import { idOf, memberships } from '../buildings/requests.ts';
import type { Sensors } from './sensors.ts';

export interface SensorRouteParts {
	buildings: Buildings;
	sensors: Sensors;
	tables: { sensors: RetainedTable };
}

/** `/buildings/{id}/sensors`. */
export function addSensorRoutes(router: Router, { buildings, sensors, tables }: SensorRouteParts): void {
	router.get('/buildings/:id/sensors', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request), 'business_staff');
		const { sensors: found, next } = await sensors.list(building.id, pageOf(request, ['number', 'string', 'string']));
		response.json({ sensors: found, ...nextCursorOf(next) });
	});

	router.post('/buildings/:id/sensors', jsonBody(), async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request), 'business_staff');
		const { sensorId, roomId, cadenceSeconds } = parseBody(newSensorRequest, request.body);
		const sensor = await sensors.register({ sensorId, buildingId: building.id, roomId, cadenceSeconds });
		await tables.sensors.changed(sensorId);
		response.status(201).json(sensor);
	});

	router.delete('/buildings/:id/sensors{/:sensorId}', async (request, response) => {
		const building = await buildings.get(idOf(request), memberships(request), 'business_staff');
		const sensorId = request.params.sensorId ?? request.query.sensorId;
		if (typeof sensorId !== 'string')
			throw new CrowdVisionError('bad_request', 'Name the sensor: DELETE …/sensors/{sensorId}');
		await sensors.remove(building.id, sensorId);
		await tables.sensors.changed(sensorId);
		response.status(204).end();
	});
}
