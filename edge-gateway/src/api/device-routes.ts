import { adoptRequest, replaceRequest } from '@crowdvision/contracts';
import {
	callerOf,
	jsonBody,
	pageOf,
	parseBody,
	type Request,
	type Router,
	requireRole,
} from '@crowdvision/service-kit';
import { DEVICE_CURSOR, type DeviceListParts, deviceList } from '../devices/device-list.ts';
import type { Operator } from '../devices/placement.ts';
import type { Registry } from '../registry.ts';
import { mayLookAt } from './access.ts';

/** `/devices`, and adopting and replacing sensors. Behind a guard that lets staff through. */
export function addDeviceRoutes(router: Router, parts: DeviceListParts & { registry: Registry }): void {
	const { placement, registry } = parts;
	const operatorOf = (request: Request): Operator => ({
		mayLookAt: (domainName) => mayLookAt(request, registry, domainName),
		requireStaff: (domains) => requireRole(callerOf(request), domains, 'business_staff', 'building'),
	});

	router.get('/devices', (request, response) => {
		response.json(deviceList(parts, operatorOf(request), pageOf(request, DEVICE_CURSOR)));
	});
	router.post('/devices/:sensorId/adopt', jsonBody(), async (request, response) => {
		const place = parseBody(adoptRequest, request.body);
		response.json(await placement.adopt({ sensorId: String(request.params.sensorId), ...place }, operatorOf(request)));
	});
	router.post('/devices/:sensorId/replace', jsonBody(), async (request, response) => {
		const { by } = parseBody(replaceRequest, request.body);
		const { domain } = request.query;
		const named = typeof domain === 'string' ? domain : undefined;
		response.json(await placement.replace(String(request.params.sensorId), by, operatorOf(request), named));
	});
}
