/** To whom a reading belongs, of the buildings and rooms that have had its ids. */
import { domainCovers } from '../account/roles.ts';
import type { Generational } from '../generation.ts';

/** The parts of a reading that say which building and room of its ids it belongs to. */
export interface Placed {
	receivedAt: number;
	generation?: string;
	senderDomain?: string;
}

/** A building, as far as it matters to whom a reading belongs. */
export interface Owner extends Generational {
	domains: readonly string[];
}

/**
 * Whether a reading that names this room (undefined: one that the building does not have) of this building belongs to
 * them, and not to an earlier building or room of the same id. A reading without a generation comes from a gateway that
 * did not know the room: it counts if it was received since the room exists, from a device of the building's domains.
 */
export function isOf(
	{ receivedAt, generation, senderDomain }: Placed,
	building: Owner,
	room: Generational | undefined,
): boolean {
	if (generation !== undefined) return generation === room?.generation;
	if (senderDomain !== undefined && !building.domains.some((owner) => domainCovers(senderDomain, owner))) return false;
	return receivedAt >= Math.max(building.since ?? 0, room?.since ?? 0);
}
