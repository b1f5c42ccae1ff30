/**
 * Tracks which member holds which entries of a group, for members that share one log and acknowledge in any order. Does
 * no I/O: it is given what was read, and knows up to which offset everything is acknowledged.
 *
 *   read ─▶ waiting ─▶ held by a member ─▶ acknowledged (forgotten)
 *              ▲               │
 *              └── given back ─┘
 */
export class GroupLedger<Entry extends { offset: number }> {
	/** Unacknowledged entries, in the order of their offsets, since they were read in that order. */
	readonly #open = new Map<number, Entry>();
	/** The entries of `#open` that nobody holds, lowest offset first. */
	#waiting: Entry[] = [];
	#next: number;

	/** `start`: the offset to read from; everything before it is acknowledged. */
	constructor(start: number) {
		this.#next = start;
	}

	/** The offset to read on from. */
	get next(): number {
		return this.#next;
	}

	/** Everything before this offset is acknowledged. Never moves back. */
	get done(): number {
		for (const lowest of this.#open.keys()) return lowest;
		return this.#next;
	}

	/** Number of entries that are read but not acknowledged. */
	get open(): number {
		return this.#open.size;
	}

	/** Adds what was read from `next` on, in order; `next` is where to read on. */
	add(entries: readonly Entry[], next: number): void {
		for (const entry of entries) {
			this.#open.set(entry.offset, entry);
			this.#waiting.push(entry);
		}
		this.#next = next;
	}

	/** Hands out at most `max` entries that nobody holds, the oldest first. */
	take(max: number): Entry[] {
		return this.#waiting.splice(0, max);
	}

	/** Returns the number of entries that were open until now. */
	acknowledge(offsets: Iterable<number>): number {
		let closed = 0;
		for (const offset of offsets) if (this.#open.delete(offset)) closed++;
		return closed;
	}

	/**
	 * Makes unacknowledged entries available to all members again. Acknowledged ones stay acknowledged, and entries that
	 * this ledger did not hand out are ignored.
	 */
	giveBack(entries: readonly Entry[]): void {
		const back = entries.filter((entry) => this.#open.get(entry.offset) === entry);
		this.#waiting = [...this.#waiting, ...back].sort((a, b) => a.offset - b.offset);
	}
}
