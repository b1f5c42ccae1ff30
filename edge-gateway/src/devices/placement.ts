import { CrowdVisionError, domainCovers } from '@crowdvision/contracts';
import { invalid } from '@crowdvision/service-kit';
import type { Registry } from '../registry.ts';
import type { Adoptions } from './adoptions.ts';
import type { Availability } from './availability.ts';
import type { Quarantine, QuarantinedSensor } from './quarantine.ts';

/** Who gives sensors their places. */
export interface Operator {
	/** Whether it may see what is of this domain, or of none. */
	mayLookAt(domainName: string | undefined): boolean;
	/** @throws CrowdVisionError `not_found`, `forbidden` unless it is staff of a building of these domains. */
	requireStaff(domains: readonly string[]): void;
}

export interface PlacementParts {
	availability: Availability;
	quarantine: Quarantine;
	adoptions: Adoptions;
	registry: Registry;
	/**
	 * Whether somebody else keeps the registry of buildings; on its own, the gateway takes the word of who may look at
	 * its ports.
	 */
	hasBus: boolean;
}

/** Where a sensor stands. */
export interface Placed {
	sensorId: string;
	buildingId: string;
	roomId: string;
}

/** Gives sensors their places, for those who may. */
export class Placement {
	readonly #parts: PlacementParts;

	constructor(parts: PlacementParts) {
		this.#parts = parts;
	}

	/**
	 * Gives a sensor in quarantine its room. Resolves when that is durable.
	 * @throws CrowdVisionError `not_found`, `forbidden`, `invalid`, `conflict`; `unavailable` where the disk refuses it.
	 */
	async adopt({ sensorId, buildingId, roomId }: Placed, operator: Operator): Promise<Placed> {
		const { registry, adoptions } = this.#parts;
		this.#requirePlace(operator, buildingId, roomId);
		const registered = registry.sensor(sensorId);
		if (registered?.buildingId !== buildingId || registered.roomId !== roomId) {
			if (registered) throw elsewhere();
			this.#requireStranger(operator, sensorId, buildingId);
			await keep(adoptions.adopt({ sensorId, buildingId, roomId }, Date.now()));
		}
		return { sensorId, buildingId, roomId };
	}

	/** Gives `by` the place of a sensor that is retired by it. Resolves when that is durable. @throws as `adopt` */
	async replace(replaces: string, by: string, operator: Operator): Promise<Placed & { replaces: string }> {
		const { registry, adoptions, availability } = this.#parts;
		const { buildingId, roomId } = registry.sensor(replaces) ?? availability.get(replaces) ?? {};
		if (buildingId === undefined || roomId === undefined)
			throw new CrowdVisionError('not_found', 'There is no such sensor, or nobody knows its place');
		this.#requirePlace(operator, buildingId, roomId);
		if (by === replaces) throw invalid([{ path: '/by', message: 'must be another sensor' }]);
		const known = registry.sensor(by);
		if (known && (known.buildingId !== buildingId || known.roomId !== roomId)) throw elsewhere();
		this.#requireStranger(operator, by, buildingId, true);
		await keep(adoptions.adopt({ sensorId: by, buildingId, roomId, replaces }, Date.now()));
		availability.said(replaces, 'offline', undefined);
		return { sensorId: by, buildingId, roomId, replaces };
	}

	/** Its own domain's staff, and that of the building its port or token says. */
	maySee(operator: Operator, { domainName, buildingId }: { domainName?: string; buildingId?: string }): boolean {
		const owners = buildingId === undefined ? undefined : this.#parts.registry.building(buildingId)?.domains;
		return operator.mayLookAt(domainName) || (owners?.some((owner) => operator.mayLookAt(owner)) ?? false);
	}

	/**
	 * @throws CrowdVisionError `not_found`, `forbidden`, `invalid` unless the operator is staff of a building with this
	 * room.
	 */
	#requirePlace(operator: Operator, buildingId: string, roomId: string): void {
		const { registry, hasBus } = this.#parts;
		const building = registry.building(buildingId);
		if (building) {
			operator.requireStaff(building.domains);
			if (!building.rooms.some(({ id }) => id === roomId))
				throw invalid([{ path: '/roomId', message: 'is not a room of this building' }]);
		} else if (hasBus || !operator.mayLookAt(undefined))
			throw new CrowdVisionError('not_found', 'There is no building of this id');
	}

	/**
	 * @throws CrowdVisionError `not_found` for a sensor that the operator cannot know of, `forbidden` for one whose
	 * device may not write for the building.
	 */
	#requireStranger(operator: Operator, sensorId: string, buildingId: string, unheard = false): void {
		const { quarantine, adoptions, registry } = this.#parts;
		const heard = quarantine.of(sensorId).filter((sensor) => this.maySee(operator, sensor));
		if (heard.length === 0) {
			if (unheard || adoptions.replacedBy(sensorId) !== undefined) return;
			throw new CrowdVisionError('not_found', 'No sensor of this id waits to be adopted');
		}
		const owners = registry.building(buildingId)?.domains;
		const covers = ({ domainName, buildingId: only }: QuarantinedSensor) =>
			(only === undefined || only === buildingId) &&
			(domainName === undefined || !owners || owners.some((owner) => domainCovers(domainName, owner)));
		if (heard.some(covers)) return;
		throw new CrowdVisionError(
			'forbidden',
			`The token of ${heard[0]!.sender} does not cover this building: its readings would be refused`,
		);
	}
}

function elsewhere(): CrowdVisionError {
	return new CrowdVisionError('conflict', 'A sensor with this id is registered elsewhere');
}

async function keep(writing: Promise<void>): Promise<void> {
	try {
		await writing;
	} catch (error) {
		throw new CrowdVisionError(
			'unavailable',
			`The gateway's disk refused the write (${(error as NodeJS.ErrnoException).code})`,
			{},
			2,
		);
	}
}
