/** Who sends a reading, from which place it is, and whether the sender may write it. */
import { type DeviceClaims, domainCovers, type Problem, tenantOf } from '@crowdvision/contracts';
import type { Registry } from '../registry.ts';

/** The sender of a frame, and what it may write. An undefined part of the scope does not restrict it. */
export interface Sender {
	/** Device id, or name of the port. */
	id: string;
	/** Undefined for a port of this machine, whose configuration is its credential. */
	domainName: string | undefined;
	sensorIds: ReadonlySet<string> | undefined;
	buildingId: string | undefined;
	/** When its token was issued, epoch seconds. */
	issuedAt?: number;
	/** The name of the bridge, if the sender is one: its readings are not sent back to it. */
	bridge?: string;
}

/** The sender that a device's token stands for. */
export function senderOf(claims: DeviceClaims): Sender {
	return {
		id: claims.sub.slice('device:'.length),
		domainName: claims.domainName,
		sensorIds: claims.sensorIds ? new Set(claims.sensorIds) : undefined,
		buildingId: claims.buildingId,
		issuedAt: claims.iat,
	};
}

export interface Place {
	buildingId: string;
	roomId: string;
}

/**
 * The place of a reading: what it states, else where its sensor is registered, else the building of its sender's scope.
 * Whether the sender may write there, `notAllowed` decides: a sensor that is registered in another building is not
 * taken into this one.
 * @param scope the building that the sender may write for, if it is limited to one
 */
export function placeOf(
	sensorId: string,
	buildingId: string | undefined,
	roomId: string | undefined,
	registry: Registry,
	scope?: string,
): Place | Problem {
	if (buildingId !== undefined && roomId !== undefined) return { buildingId, roomId };
	const registered = registry.sensor(sensorId);
	const building = buildingId ?? registered?.buildingId ?? scope;
	if (building === undefined)
		return { path: '/buildingId', message: `is required, as the sensor "${sensorId}" is not registered` };
	// A registered room belongs to the registered building; in another building it would be no room, or another one.
	const room = roomId ?? (registered?.buildingId === building ? registered.roomId : undefined);
	if (room !== undefined) return { buildingId: building, roomId: room };
	return {
		path: '/roomId',
		message: `is required, as the sensor "${sensorId}" is not registered${registered ? ' in this building' : ''}`,
	};
}

/** Why this sender may not send for this sensor, for a reading without a place; undefined if it may. */
export function outsideScope(sender: Sender, sensorId: string, registry: Registry): Problem | undefined {
	const problem = { path: '/sensorId', message: `"${sensorId}" is outside the scope of ${sender.id}` };
	if (sender.sensorIds && !sender.sensorIds.has(sensorId)) return problem;
	const registered = registry.sensor(sensorId);
	return registered && sender.buildingId !== undefined && registered.buildingId !== sender.buildingId
		? problem
		: undefined;
}

/**
 * Whether this sensor is registered in a building of another domain. All domains share the ids of sensors, and whoever
 * issues tokens can put any id into them, so a device of another domain neither receives nor sends for the sensor. A
 * port of this machine (no domain) may.
 */
export function isForeign(domainName: string | undefined, sensorId: string, registry: Registry): boolean {
	if (domainName === undefined) return false;
	const registered = registry.sensor(sensorId);
	const owners = registered && registry.building(registered.buildingId)?.domains;
	return owners !== undefined && !owners.some((owner) => domainCovers(domainName, owner));
}

/**
 * The id under which the gateway keeps what it knows of the series that a sender sends for a sensor: the sensor's own,
 * but for a sender to whom the sensor does not belong, who must not change what its owner sees.
 */
export function seriesIdOf({ domainName }: Sender, sensorId: string, registry: Registry): string {
	return isForeign(domainName, sensorId, registry) ? `${tenantOf(domainName!)}/${sensorId}` : sensorId;
}

/**
 * Why this sender may not write for this sensor and building; undefined if it may. If the building's owner is not
 * known, only a sender whose token names the building or the sensor may.
 */
export function notAllowed(
	sender: Sender,
	sensorId: string,
	buildingId: string,
	registry: Registry,
): Problem | undefined {
	if (sender.sensorIds && !sender.sensorIds.has(sensorId))
		return { path: '/sensorId', message: `"${sensorId}" is outside the scope of ${sender.id}` };
	if (sender.buildingId !== undefined && sender.buildingId !== buildingId) {
		return { path: '/buildingId', message: `"${buildingId}" is outside the scope of ${sender.id}` };
	}
	const { domainName } = sender;
	if (domainName === undefined) return undefined;
	if (registry.isRevoked(sender.id, sender.issuedAt))
		return { path: '', message: `the token of ${sender.id} was revoked` };
	const owners = registry.building(buildingId)?.domains;
	const named = sender.sensorIds !== undefined || sender.buildingId !== undefined;
	if (owners ? owners.some((owner) => domainCovers(domainName, owner)) : named) return undefined;
	return { path: '/buildingId', message: `"${buildingId}" is not a building of the domain of ${sender.id}` };
}
