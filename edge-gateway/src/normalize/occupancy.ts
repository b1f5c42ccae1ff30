/** Crossings of a door since its last message. */
export interface Crossings {
	in: number;
	out: number;
}

/**
 * How many people are in each room, kept from the crossings of all its doors: never below 0. Plain state: who restores and saves it
 * is the intake's business.
 */
export class Occupancy {
	readonly #counts = new Map<string, number>();

	count(buildingId: string, roomId: string): number | undefined {
		return this.#counts.get(key(buildingId, roomId));
	}

	set(buildingId: string, roomId: string, count: number): void {
		this.#counts.set(key(buildingId, roomId), count);
	}

	/** Counts crossings in and returns the room's new count and how to take them back. */
	apply(buildingId: string, roomId: string, crossings: Crossings): { count: number; undo: () => void } {
		const room = key(buildingId, roomId);
		const before = this.#counts.get(room) ?? 0;
		const count = Math.max(0, before + crossings.in - crossings.out);
		this.#counts.set(room, count);
		// Not held at 0: of several that are taken back, in whatever order, the sum comes out right.
		return { count, undo: () => this.#counts.set(room, (this.#counts.get(room) ?? 0) - (count - before)) };
	}

	export(): Record<string, number> {
		return Object.fromEntries(this.#counts);
	}

	import(counts: Record<string, number>): void {
		for (const [room, count] of Object.entries(counts)) this.#counts.set(room, count);
	}
}

/** No place id holds a slash. */
function key(buildingId: string, roomId: string): string {
	return `${buildingId}/${roomId}`;
}
