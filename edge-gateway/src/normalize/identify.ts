/** Who sends a reading, from which place it is, and whether the sender may write it. */
import { type DeviceClaims, domainCovers, oneSpelling, PLACE_ID, type Problem, tenantOf } from '@crowdvision/contracts';
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
	/** The generation of the building of its scope when its token was issued; absent in tokens of earlier versions. */
	generation?: string | undefined;
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
		...(claims.generation !== undefined && { generation: claims.generation }),
	};
}

export interface Place {
	buildingId: string;
	roomId: string;
}

/** Texts of characters below these are written in one way only. */
const HAS_SPELLINGS = /[\u0300-\uffff]/;
const IS_PLACE = new RegExp(PLACE_ID);

/**
 * The ids of a reading's place in the spelling of the registry: devices and topics may write a letter with its accent
 * as one character or as two, and people see no difference. An id that the registry has as it is written stays: a
 * version before took both.
 */
export function spelled<P extends { sensorId: string; buildingId?: string; roomId?: string }>(
	reading: P,
	registry: Registry,
	sender: Sender,
): P {
	const { buildingId, roomId } = reading;
	if (!HAS_SPELLINGS.test(buildingId ?? '') && !HAS_SPELLINGS.test(roomId ?? '')) return reading;
	const building = buildingId === undefined || registry.building(buildingId) ? buildingId : composed(buildingId);
	const known = registry.building(buildingOf(reading.sensorId, building, registry, sender) ?? '');
	const room = roomId === undefined || known?.rooms?.some(({ id }) => id === roomId) ? roomId : composed(roomId);
	return {
		...reading,
		...(building !== undefined && { buildingId: building }),
		...(room !== undefined && { roomId: room }),
	};
}

/** Few letters are longer when they are composed: an id that would be too long stays. */
function composed(id: string): string {
	const spelling = oneSpelling(id);
	return IS_PLACE.test(spelling) ? spelling : id;
}

/** The building of a reading, as in its place; undefined where nobody knows it. */
export function buildingOf(
	sensorId: string,
	buildingId: string | undefined,
	registry: Registry,
	{ domainName, buildingId: scope }: Partial<Pick<Sender, 'domainName' | 'buildingId'>>,
): string | undefined {
	return buildingId ?? registry.sensor(sensorId, { domainName, buildingId: scope })?.buildingId ?? scope;
}

/**
 * The place of a reading: what it states, else where its sensor is registered, else the building of its sender's scope.
 * Whether the sender may write there, `notAllowed` decides: a sensor that is registered in another building is not
 * taken into this one.
 * @param sender whose sensors are looked up, and the building that it may write for, if it is limited to one
 */
export function placeOf(
	sensorId: string,
	buildingId: string | undefined,
	roomId: string | undefined,
	registry: Registry,
	{ domainName, buildingId: scope }: Partial<Pick<Sender, 'domainName' | 'buildingId'>> = {},
): Place | Problem {
	if (buildingId !== undefined && roomId !== undefined) return { buildingId, roomId };
	const registered = registry.sensor(sensorId, { domainName, buildingId });
	const building = buildingId ?? registered?.buildingId ?? scope;
	if (building === undefined) {
		const several = domainName === undefined && registry.sensors(sensorId).length > 1;
		const why = several ? 'is registered in several domains' : 'is not registered';
		return { path: '/buildingId', message: `is required, as the sensor "${sensorId}" ${why}` };
	}
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
	const registered = registry.sensor(sensorId, sender);
	return registered && sender.buildingId !== undefined && registered.buildingId !== sender.buildingId
		? problem
		: undefined;
}

/**
 * Whether this sensor of the device's tenant is registered in a building that the device's domain does not cover, so
 * that it neither receives nor sends for the sensor. A sensor of the same id of another tenant is another sensor. A
 * port of this machine (no domain) may.
 */
export function isForeign(domainName: string | undefined, sensorId: string, registry: Registry): boolean {
	if (domainName === undefined) return false;
	const registered = registry.sensor(sensorId, { domainName });
	const owners = registered && registry.building(registered.buildingId)?.domains;
	return owners !== undefined && !owners.some((owner) => domainCovers(domainName, owner));
}

/**
 * The id under which the gateway keeps what it knows of the series that a sender sends for a sensor. Sensor ids belong
 * to a tenant: `tenant/sensorId`, and the id alone for the tenant at home here (`Registry.home`).
 * @param buildingId of the reading, whose owner counts for a sender without a domain
 */
export function seriesIdOf({ domainName }: Sender, sensorId: string, buildingId: string, registry: Registry): string {
	const { home } = registry;
	const owner = domainName ?? registry.building(buildingId)?.domains[0];
	if (home === undefined || owner === undefined) return sensorId;
	const tenant = tenantOf(owner);
	return tenant === home ? sensorId : `${tenant}/${sensorId}`;
}

/** The sensor of a series, and its tenant if it is known. */
export function sensorOfSeries(
	seriesId: string,
	home: string | undefined,
): { tenant: string | undefined; sensorId: string } {
	const slash = seriesId.indexOf('/');
	if (slash < 0) return { tenant: home, sensorId: seriesId };
	return { tenant: seriesId.slice(0, slash), sensorId: seriesId.slice(slash + 1) };
}

/**
 * Whether a sender's token was issued for an earlier building of the id that it is limited to. One of an earlier
 * version names no generation: its time tells.
 */
export function isOfEarlierBuilding({ buildingId, issuedAt = 0, generation }: Sender, registry: Registry): boolean {
	const building = buildingId === undefined ? undefined : registry.building(buildingId);
	if (building?.generation === undefined) return false;
	if (generation !== undefined) return generation !== building.generation;
	return building.since !== undefined && issuedAt * 1000 < building.since;
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
	if (isOfEarlierBuilding(sender, registry)) {
		const message = `the token of ${sender.id} was issued for a building "${buildingId}" that was removed since`;
		return { path: '/buildingId', message };
	}
	if (registry.isRevoked(sender.id, sender.issuedAt))
		return { path: '', message: `the token of ${sender.id} was revoked` };
	const owners = registry.building(buildingId)?.domains;
	const named = sender.sensorIds !== undefined || sender.buildingId !== undefined;
	if (owners ? owners.some((owner) => domainCovers(domainName, owner)) : named) return undefined;
	return { path: '/buildingId', message: `"${buildingId}" is not a building of the domain of ${sender.id}` };
}
