/** The HTTP route that sends a command to a device. */
import { CrowdVisionError, commandRequest, tenantOf, weightIn } from '@crowdvision/contracts';
import { callerOf, jsonBody, parseBody, type Request, type Router, requireRole } from '@crowdvision/service-kit';
import type { Availability } from '../devices/availability.ts';
import { ambiguousSensor } from '../devices/placement.ts';
import type { CommandChannels } from '../downlink/command-channels.ts';
import type { Downlink } from '../downlink/downlink.ts';
import type { Registry } from '../registry.ts';
import { mayLookAt } from './access.ts';

export interface CommandRouteParts {
	downlink: Downlink;
	channels: CommandChannels;
	registry: Registry;
	availability: Availability;
	/** Epoch ms, by the clock that deadlines go by. */
	now: () => number;
}

/** How long to wait after the deadline for an outcome that is on its way. */
const GRACE_MS = 10_000;

/** `POST /devices/{sensorId}/command`, behind a guard that lets staff through. */
export function addCommandRoutes(
	router: Router,
	{ downlink, channels, registry, availability, now }: CommandRouteParts,
): void {
	router.post('/devices/:sensorId/command', jsonBody(), async (request, response) => {
		const sensorId = String(request.params.sensorId);
		const domainName = requireStaffOf(request, sensorId);
		const wanted = parseBody(commandRequest, request.body);
		const { id, deadline } = await downlink.request(sensorId, wanted, domainName);
		if (request.query.wait === undefined) return void response.status(202).json({ id });
		const gone = new AbortController();
		response.once('close', () => gone.abort());
		const patience = AbortSignal.timeout(Math.max(0, deadline - now()) + GRACE_MS);
		const result = await downlink.outcome(id, AbortSignal.any([gone.signal, patience]));
		if (result) response.json(result);
		else response.status(202).json({ id });
	});

	/**
	 * @throws CrowdVisionError `not_found` for a sensor that is unknown, or that the caller may not know of; `forbidden`
	 * for a caller who is not on its staff; `conflict` where sensors of several domains have this id, and `?domain=` does
	 * not say which is meant. Returns the domain of the sensor, if it has one.
	 */
	function requireStaffOf(request: Request, sensorId: string): string | undefined {
		const { domain } = request.query;
		const isAsked = (name: string | undefined) =>
			domain === undefined || (typeof domain === 'string' && name !== undefined && tenantOf(name) === tenantOf(domain));
		const { memberships } = callerOf(request);
		const all = registry.sensors(sensorId).map(({ buildingId }) => registry.building(buildingId)?.domains);
		const registered = all.filter((owners) =>
			owners?.some((owner) => isAsked(owner) && weightIn(memberships, [owner]) > 0),
		);
		const [owners] = registered;
		const isOwners = (name: string | undefined) =>
			name === undefined || owners?.some((owner) => tenantOf(owner) === tenantOf(name));
		const heard = [...channels.domainsOf(sensorId), ...availability.of(sensorId).map(({ domainName }) => domainName)];
		// Without a registered building, the domain of the sensor's device counts.
		const own = heard.filter((name) => isAsked(name) && !isOwners(name) && mayLookAt(request, registry, name));
		const named = [...registered.flatMap((of) => of?.[0] ?? []), ...own.filter((name) => name !== undefined)];
		if (new Set(named.map(tenantOf)).size > 1) throw ambiguousSensor(named);
		if (owners) {
			requireRole(callerOf(request), owners, 'business_staff', 'sensor');
			// Devices of every owner of the building may have it.
			return new Set(owners.map(tenantOf)).size === 1 ? owners[0] : undefined;
		}
		const isAtPort = heard.includes(undefined) && isAsked(undefined) && mayLookAt(request, registry, undefined);
		const isKnown = own.length > 0 || (isAtPort && all.length === 0);
		// One in a building of which nobody knows the owner is nobody's.
		if (all.includes(undefined) || !isKnown) throw new CrowdVisionError('not_found', 'There is no such sensor');
		return named[0];
	}
}
