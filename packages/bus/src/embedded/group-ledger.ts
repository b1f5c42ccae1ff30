/**
 * Who holds what of a group's entries, for members that share one log and acknowledge in any order. Knows no I/O: it is
 * told what was read, and answers up to where everything is acknowledged.
 *
 *   read ─▶ waiting ─▶ held by a member ─▶ acknowledged (forgotten)
 *              ▲               │
 *              └── given back ─┘
 */
export class GroupLedger<Entry extends { offset: number }> {
	/** Neither acknowledged nor forgotten, in the order of their offsets, since they were read in that order. */
	readonly #open = new Map<number, Entry>();
	/** Those of `#open` that nobody holds, lowest offset first. */
	#waiting: Entry[] = [];
	#next: number;

	/** `start`: the offset to read from, everything before it is acknowledged. */
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

	/** How many entries are read and not acknowledged. */
	get open(): number {
		return this.#open.size;
	}

	/** Takes in what was read from `next` on, in order, and where to read on. */
	add(entries: readonly Entry[], next: number): void {
		for (const entry of entries) {
			this.#open.set(entry.offset, entry);
			this.#waiting.push(entry);
		}
		this.#next = next;
	}

	/** Hands out at most `most` entries that nobody holds, the oldest first. */
	take(most: number): Entry[] {
		return this.#waiting.splice(0, most);
	}

	/** Returns how many of them were open until now. */
	acknowledge(offsets: Iterable<number>): number {
		let closed = 0;
		for (const offset of offsets) if (this.#open.delete(offset)) closed++;
		return closed;
	}

	/**
	 * Makes unacknowledged entries available to all again; the acknowledged among them stay acknowledged, and what this
	 * ledger did not hand out is left out.
	 */
	giveBack(entries: readonly Entry[]): void {
		const back = entries.filter((entry) => this.#open.get(entry.offset) === entry);
		this.#waiting = [...this.#waiting, ...back].sort((a, b) => a.offset - b.offset);
	}
}
