import { adoptRequest, CrowdVisionError, domainCovers, replaceRequest } from '@crowdvision/contracts';
import { callerOf, invalid, jsonBody, parseBody, type Request, type Router, requireRole } from '@crowdvision/service-kit';
import { mayLookAt } from '../access.ts';
import type { Devices } from '../devices.ts';
import type { Registry } from '../registry.ts';
import type { Adoptions } from './adoptions.ts';
import type { Availability } from './availability.ts';
import type { Quarantine, QuarantinedSensor } from './quarantine.ts';

export interface DeviceRouteParts {
	devices: Devices;
	availability: Availability;
	quarantine: Quarantine;
	adoptions: Adoptions;
	registry: Registry;
	/** Whether somebody else keeps the registry of buildings; on its own, the gateway takes an admin's word for a place. */
	hasBus: boolean;
}

/** `/devices`, and what makes a stranger one of them. Behind a guard that lets staff through. */
export function addDeviceRoutes(router: Router, { devices, availability, quarantine, adoptions, registry, hasBus }: DeviceRouteParts): void {
	router.get('/devices', (request, response) => {
		response.json({
			devices: devices.list(({ domainName }) => mayLookAt(request, domainName)),
			sensors: availability.list((sensor) => maySee(request, sensor)),
			quarantined: quarantine.list((sensor) => maySee(request, sensor)),
		});
	});

	router.post('/devices/:sensorId/adopt', jsonBody(), async (request, response) => {
		const sensorId = String(request.params.sensorId);
		const { buildingId, roomId } = parseBody(adoptRequest, request.body);
		requirePlace(request, buildingId, roomId);
		const registered = registry.sensor(sensorId);
		if (registered?.buildingId !== buildingId || registered.roomId !== roomId) {
			if (registered) throw elsewhere();
			requireStranger(request, sensorId, buildingId);
			await keep(adoptions.adopt({ sensorId, buildingId, roomId }, Date.now()));
		}
		response.json({ sensorId, buildingId, roomId });
	});

	router.post('/devices/:sensorId/replace', jsonBody(), async (request, response) => {
		const replaces = String(request.params.sensorId);
		const { by } = parseBody(replaceRequest, request.body);
		const { buildingId, roomId } = registry.sensor(replaces) ?? availability.get(replaces) ?? {};
		if (buildingId === undefined || roomId === undefined)
			throw new CrowdVisionError('not_found', 'There is no such sensor, or nobody knows its place');
		requirePlace(request, buildingId, roomId);
		if (by === replaces) throw invalid([{ path: '/by', message: 'must be another sensor' }]);
		const known = registry.sensor(by);
		if (known && (known.buildingId !== buildingId || known.roomId !== roomId)) throw elsewhere();
		requireStranger(request, by, buildingId, true);
		await keep(adoptions.adopt({ sensorId: by, buildingId, roomId, replaces }, Date.now()));
		availability.said(replaces, 'offline', undefined);
		response.json({ sensorId: by, buildingId, roomId, replaces });
	});

	/** @throws CrowdVisionError `not_found`, `forbidden`, `invalid` unless the caller is staff of a building with this room. */
	function requirePlace(request: Request, buildingId: string, roomId: string): void {
		const building = registry.building(buildingId);
		if (building) {
			requireRole(callerOf(request), building.domains, 'business_staff', 'building');
			if (!building.rooms.some(({ id }) => id === roomId)) throw invalid([{ path: '/roomId', message: 'is not a room of this building' }]);
		} else if (hasBus || !mayLookAt(request, undefined)) throw new CrowdVisionError('not_found', 'There is no building of this id');
	}

	/** @throws CrowdVisionError `not_found` for a sensor that the caller cannot know of, `forbidden` for one whose device may not write for the building. */
	function requireStranger(request: Request, sensorId: string, buildingId: string, unheard = false): void {
		const heard = quarantine.of(sensorId).filter((sensor) => maySee(request, sensor));
		if (heard.length === 0) {
			if (unheard || adoptions.replacedBy(sensorId) !== undefined) return;
			throw new CrowdVisionError('not_found', 'No sensor of this id waits to be adopted');
		}
		const owners = registry.building(buildingId)?.domains;
		const covers = ({ domainName, buildingId: only }: QuarantinedSensor) =>
			(only === undefined || only === buildingId) && (domainName === undefined || !owners || owners.some((owner) => domainCovers(domainName, owner)));
		if (heard.some(covers)) return;
		throw new CrowdVisionError('forbidden', `The token of ${heard[0]!.sender} does not cover this building: its readings would be refused`);
	}

	/** Its own domain's staff, and that of the building its port or token says. */
	function maySee(request: Request, { domainName, buildingId }: { domainName?: string; buildingId?: string }): boolean {
		const owners = buildingId === undefined ? undefined : registry.building(buildingId)?.domains;
		return mayLookAt(request, domainName) || (owners?.some((owner) => mayLookAt(request, owner)) ?? false);
	}
}

function elsewhere(): CrowdVisionError {
	return new CrowdVisionError('conflict', 'A sensor with this id is registered elsewhere');
}

async function keep(writing: Promise<void>): Promise<void> {
	try {
		await writing;
	} catch (error) {
		throw new CrowdVisionError('unavailable', `The gateway's disk refused the write (${(error as NodeJS.ErrnoException).code})`, {}, 2);
	}
}
