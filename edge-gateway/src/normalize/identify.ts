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

/** Where the reading is from: what it says, else where its sensor is registered, else what the sender's scope says. */
export function placeOf(sensorId: string, buildingId: string | undefined, roomId: string | undefined, registry: Registry): Place | Problem {
	if (buildingId !== undefined && roomId !== undefined) return { buildingId, roomId };
	const registered = registry.sensor(sensorId);
	const place = { buildingId: buildingId ?? registered?.buildingId, roomId: roomId ?? registered?.roomId };
	if (place.buildingId === undefined) return { path: '/buildingId', message: `is required, as the sensor "${sensorId}" is not registered` };
	if (place.roomId === undefined) return { path: '/roomId', message: `is required, as the sensor "${sensorId}" is not registered` };
	return place as Place;
}

/** Why this sender may not speak for this sensor wherever it stands, or undefined when it may. */
export function outsideScope(sender: Sender, sensorId: string): Problem | undefined {
	if (!sender.sensorIds || sender.sensorIds.has(sensorId)) return undefined;
	return { path: '/sensorId', message: `"${sensorId}" is outside the scope of ${sender.id}` };
}

/** Why this sender may not write for this sensor and building, or undefined when it may. Fails closed where the building's owner is not known. */
export function notAllowed(sender: Sender, sensorId: string, buildingId: string, registry: Registry): Problem | undefined {
	const foreign = outsideScope(sender, sensorId);
	if (foreign) return foreign;
	if (sender.buildingId !== undefined && sender.buildingId !== buildingId) {
		return { path: '/buildingId', message: `"${buildingId}" is outside the scope of ${sender.id}` };
	}
	const { domainName } = sender;
	if (domainName === undefined) return undefined;
	if (registry.isRevoked(sender.id, sender.issuedAt)) return { path: '', message: `the token of ${sender.id} was revoked` };
	const owners = registry.building(buildingId)?.domains;
	const named = sender.sensorIds !== undefined || sender.buildingId !== undefined;
	if (owners ? owners.some((owner) => domainCovers(domainName, owner)) : named) return undefined;
	return { path: '/buildingId', message: `"${buildingId}" is not a building of the domain of ${sender.id}` };
}
