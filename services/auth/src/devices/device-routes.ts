import { CrowdVisionError, domainCovers, newDeviceRequest } from '@crowdvision/contracts';
import {
	type BuildingDirectory,
	invalid,
	nextCursorOf,
	pageOf,
	parseBody,
	pause,
	type RetainedTable,
	type Router,
} from '@crowdvision/service-kit';
import { authBody } from '../auth-body.ts';
import { type DomainGuardParts, domainOf, requireInDomain } from '../domains/domain-guards.ts';
import type { Devices } from './devices.ts';

/** How long a building created a moment ago may take to be announced by twin. */
const ANNOUNCED_WITHIN_MS = 2000;
const POLL_EVERY_MS = 50;

export interface DeviceRouteParts extends DomainGuardParts {
	devices: Devices;
	directory: BuildingDirectory;
	revokedDevices: RetainedTable;
}

/** `/domains/{name}/devices`. */
export function addDeviceRoutes(router: Router, parts: DeviceRouteParts): void {
	const { devices, directory, revokedDevices } = parts;
	const administers = requireInDomain(parts, 'business_admin');

	router.post('/domains/:name/devices', administers, authBody, async (request, response) => {
		const device = parseBody(newDeviceRequest, request.body);
		const domainName = domainOf(request);
		const { buildingId } = device;
		const generation = buildingId && (await requireBuilding(directory, buildingId, domainName)).generation;
		response
			.status(201)
			.set('Cache-Control', 'no-store')
			.json(await devices.issue({ ...device, domainName, generation }));
	});

	router.get('/domains/:name/devices', administers, async (request, response) => {
		const page = pageOf(request, ['number', 'number', 'string']);
		const { devices: found, next } = await devices.list(domainOf(request), page);
		response.json({ devices: found, ...nextCursorOf(next) });
	});

	router.delete('/domains/:name/devices{/:deviceId}', administers, async (request, response) => {
		const deviceId = request.params.deviceId ?? request.query.deviceId;
		if (typeof deviceId !== 'string')
			throw new CrowdVisionError('bad_request', 'Name the device: DELETE …/devices/{deviceId}');
		await devices.revoke(domainOf(request), deviceId);
		await revokedDevices.changed(deviceId);
		response.status(204).end();
	});
}

/** @throws CrowdVisionError `invalid` unless the building is known and belongs to this domain or a subdomain. */
async function requireBuilding(directory: BuildingDirectory, buildingId: string, domainName: string) {
	for (let waited = 0; !directory.get(buildingId) && waited < ANNOUNCED_WITHIN_MS; waited += POLL_EVERY_MS)
		await pause(POLL_EVERY_MS);
	const building = directory.get(buildingId);
	if (building?.domains.some((owner) => domainCovers(domainName, owner))) return building;
	throw invalid([{ path: '/buildingId', message: 'must be a building of this domain' }]);
}
