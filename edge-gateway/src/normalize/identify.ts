import { type DeviceClaims, domainCovers, type Problem } from '@crowdvision/contracts';
import type { Registry } from '../registry.ts';

/** Who a frame comes from, and what it may write. Undefined scope parts do not restrict. */
export interface Sender {
	/** The device's id, or the name of the port. */
	id: string;
	/** Undefined for a port of this machine, whose configuration is its credential. */
	domainName: string | undefined;
	sensorIds: ReadonlySet<string> | undefined;
	buildingId: string | undefined;
	/** When its token was issued, epoch seconds. */
	issuedAt?: number;
	/** The bridge it is, whose readings are not sent back to where they came from. */
	bridge?: string;
}

/** A device's token as a sender. */
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
 * Where the reading is from: what it says, else where its sensor is registered, else the building of its sender's
 * scope. What that scope leaves out is for `notAllowed` to say: a sensor that is registered in another building is not
 * taken into this one.
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
	// A room is one of its building: under another one's name it would be nowhere, or somebody else's.
	const room = roomId ?? (registered?.buildingId === building ? registered.roomId : undefined);
	if (room !== undefined) return { buildingId: building, roomId: room };
	return {
		path: '/roomId',
		message: `is required, as the sensor "${sensorId}" is not registered${registered ? ' in this building' : ''}`,
	};
}

/**
 * Why this sender may not speak for this sensor where the reading does not say where it stands, or undefined when it
 * may.
 */
export function outsideScope(sender: Sender, sensorId: string, registry: Registry): Problem | undefined {
	const problem = { path: '/sensorId', message: `"${sensorId}" is outside the scope of ${sender.id}` };
	if (sender.sensorIds && !sender.sensorIds.has(sensorId)) return problem;
	const registered = registry.sensor(sensorId);
	return registered && sender.buildingId !== undefined && registered.buildingId !== sender.buildingId
		? problem
		: undefined;
}

/**
 * Whether this sensor is registered in a building that is not of this domain. Ids of sensors are the same for all, and
 * whoever makes tokens may name any in them: so nobody of another domain hears or speaks for it. A port of this machine
 * (no domain) may.
 */
export function isForeign(domainName: string | undefined, sensorId: string, registry: Registry): boolean {
	if (domainName === undefined) return false;
	const registered = registry.sensor(sensorId);
	const owners = registered && registry.building(registered.buildingId)?.domains;
	return owners !== undefined && !owners.some((owner) => domainCovers(domainName, owner));
}

/**
 * Why this sender may not write for this sensor and building, or undefined when it may. Fails closed where the
 * building's owner is not known.
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
