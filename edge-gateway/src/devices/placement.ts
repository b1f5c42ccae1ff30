/** Adopts and replaces sensors for an operator, after checking what the operator may do. */
import {
	CrowdVisionError,
	domainCovers,
	type QuarantinedSensor,
	type SensorPlace,
	tenantOf,
} from '@crowdvision/contracts';
import { invalid } from '@crowdvision/service-kit';
import type { Registry } from '../registry.ts';
import type { Adoptions } from './adoptions.ts';
import type { Availability } from './availability.ts';
import type { Quarantine } from './quarantine.ts';

/** A person who places sensors, with that person's rights. */
export interface Operator {
	/** Whether the operator may see devices of this domain; undefined: devices of no domain. */
	mayLookAt(domainName: string | undefined): boolean;
	/** @throws CrowdVisionError `not_found`, `forbidden` unless the operator is staff of a building of these domains. */
	requireStaff(domains: readonly string[]): void;
}

/** What decides who may see a sensor. A quarantined one has no room. */
interface Seen {
	domainName?: string;
	buildingId?: string;
	roomId?: string;
	generation?: string;
}

/** What `Placement` needs. */
export interface PlacementParts {
	availability: Availability;
	quarantine: Quarantine;
	adoptions: Adoptions;
	registry: Registry;
	/**
	 * Whether a bus provides the registry of buildings. Without one the gateway does not check buildings, but only an
	 * operator who may see its ports may place sensors.
	 */
	hasBus: boolean;
	/** Epoch ms. */
	now: () => number;
}

/** Gives sensors a place, after checking that the operator may do so. */
export class Placement {
	readonly #parts: PlacementParts;

	constructor(parts: PlacementParts) {
		this.#parts = parts;
	}

	/**
	 * Gives a quarantined sensor its room. Resolves when that is durable.
	 * @throws CrowdVisionError `not_found`, `forbidden`, `invalid`, `conflict`; `unavailable` if the disk refuses the
	 * write.
	 */
	async adopt({ sensorId, buildingId, roomId }: SensorPlace, operator: Operator): Promise<SensorPlace> {
		const { registry, adoptions } = this.#parts;
		this.#requirePlace(operator, buildingId, roomId);
		const registered = registry.sensorOfTenants(sensorId, buildingId);
		if (registered?.buildingId !== buildingId || registered.roomId !== roomId) {
			if (registered) throw registeredElsewhere();
			this.#requireAdoptable(operator, sensorId, buildingId);
			const generation = registry.generationOf(buildingId, roomId);
			await durable(adoptions.adopt({ sensorId, buildingId, roomId, generation }, this.#parts.now()));
		}
		return { sensorId, buildingId, roomId };
	}

	/**
	 * Gives `by` the place of the sensor `replaces`, which is retired. Resolves when that is durable.
	 * @param domain which sensor is meant, where several domains have one of this id
	 * @throws as `adopt`; `conflict` where it is not clear which sensor is meant
	 */
	async replace(
		replaces: string,
		by: string,
		operator: Operator,
		domain?: string,
	): Promise<SensorPlace & { replaces: string }> {
		const { registry, adoptions, availability } = this.#parts;
		const isMeant = (name: string | undefined) =>
			domain === undefined || (name !== undefined && tenantOf(name) === tenantOf(domain));
		const ownersOf = (id: string) => registry.building(id)?.domains;
		const heard = availability
			.of(replaces)
			.find(
				(sensor) =>
					this.maySee(operator, sensor) && isMeant(sensor.domainName ?? ownersOf(sensor.buildingId ?? '')?.[0]),
			);
		const visible = registry.sensors(replaces).filter(({ buildingId }) => {
			const owners = ownersOf(buildingId);
			return !owners || owners.some((owner) => isMeant(owner) && operator.mayLookAt(owner));
		});
		if (visible.length > 1) throw ambiguousSensor(visible.flatMap(({ buildingId }) => ownersOf(buildingId) ?? []));
		const { buildingId, roomId } = visible[0] ?? heard ?? {};
		if (buildingId === undefined || roomId === undefined)
			throw new CrowdVisionError('not_found', 'The sensor does not exist or its place is unknown');
		this.#requirePlace(operator, buildingId, roomId);
		if (by === replaces) throw invalid([{ path: '/by', message: 'must be another sensor' }]);
		const known = registry.sensorOfTenants(by, buildingId);
		if (known && (known.buildingId !== buildingId || known.roomId !== roomId)) throw registeredElsewhere();
		this.#requireAdoptable(operator, by, buildingId, true);
		const generation = registry.generationOf(buildingId, roomId);
		await durable(adoptions.adopt({ sensorId: by, buildingId, roomId, replaces, generation }, this.#parts.now()));
		availability.reported(replaces, 'offline', heard?.domainName ?? registry.building(buildingId)?.domains[0]);
		return { sensorId: by, buildingId, roomId, replaces };
	}

	/**
	 * Whether the operator may see a sensor: by its domain, or by the building of its readings if that is still the same
	 * building. A sensor at a port of the machine, in a building that is no more, only by the machine.
	 */
	maySee(operator: Operator, { domainName, buildingId, roomId, generation }: Seen): boolean {
		if (operator.mayLookAt(domainName)) return true;
		const { registry } = this.#parts;
		const owners = (buildingId !== undefined && registry.building(buildingId)?.domains) || [];
		if (roomId !== undefined && registry.generationOf(buildingId!, roomId) !== generation) return false;
		const isOwn = domainName === undefined || owners.some((owner) => domainCovers(domainName, owner));
		return isOwn && owners.some((owner) => operator.mayLookAt(owner));
	}

	/**
	 * Requires that the operator is staff of the building and that it has this room.
	 * @throws CrowdVisionError `not_found`, `forbidden`, `invalid`
	 */
	#requirePlace(operator: Operator, buildingId: string, roomId: string): void {
		const { registry, hasBus } = this.#parts;
		const building = registry.building(buildingId);
		if (building) {
			operator.requireStaff(building.domains);
			if (!building.rooms.some(({ id }) => id === roomId))
				throw invalid([{ path: '/roomId', message: 'is not a room of this building' }]);
		} else if (hasBus || !operator.mayLookAt(undefined))
			throw new CrowdVisionError('not_found', 'There is no building with this id');
	}

	/**
	 * Requires that the sensor is in quarantine, and that its device may send for the building. `orUnseen` also accepts a
	 * sensor that has never sent.
	 * @throws CrowdVisionError `not_found` for a sensor that the operator cannot see, `forbidden` for one whose device
	 * may not send for the building.
	 */
	#requireAdoptable(operator: Operator, sensorId: string, buildingId: string, orUnseen = false): void {
		const { quarantine, adoptions, registry } = this.#parts;
		const quarantined = quarantine.of(sensorId).filter((sensor) => this.maySee(operator, sensor));
		if (quarantined.length === 0) {
			const [owner] = registry.building(buildingId)?.domains ?? [];
			if (orUnseen || adoptions.replacedBy(sensorId, owner) !== undefined) return;
			throw new CrowdVisionError('not_found', 'No sensor with this id is waiting to be adopted');
		}
		const owners = registry.building(buildingId)?.domains;
		const covers = ({ domainName, buildingId: only }: QuarantinedSensor) =>
			(only === undefined || only === buildingId) &&
			(domainName === undefined || !owners || owners.some((owner) => domainCovers(domainName, owner)));
		if (quarantined.some(covers)) return;
		throw new CrowdVisionError(
			'forbidden',
			`The token of ${quarantined[0]!.sender} does not cover this building: its readings would be refused`,
		);
	}
}

function registeredElsewhere(): CrowdVisionError {
	return new CrowdVisionError('conflict', 'A sensor with this id is registered elsewhere');
}

/** For a caller who sees sensors of several of these domains, all with the id that was asked for. */
export function ambiguousSensor(domains: readonly string[]): CrowdVisionError {
	const names = [...new Set(domains)].join(', ');
	return new CrowdVisionError(
		'conflict',
		`Several domains have a sensor of this id: say which with ?domain= (${names})`,
	);
}

/** Waits for a write. @throws CrowdVisionError `unavailable` if the disk refuses it. */
async function durable(write: Promise<void>): Promise<void> {
	try {
		await write;
	} catch (error) {
		throw new CrowdVisionError(
			'unavailable',
			`The gateway's disk refused the write (${(error as NodeJS.ErrnoException).code})`,
			{},
			2,
		);
	}
}
