import { type Countable, CursorTally } from './cursor-tally.ts';

/**
 * The position of a consumer in the log. Kept across restarts; after a crash it may be up to a second old, or five
 * seconds where few records arrive. After a power cut it may be as old as the last `flush`.
 */
export interface Cursor {
	readonly name: string;
	/** The next offset that the consumer wants. */
	readonly position: number;
	readonly tally: CursorTally;
	/**
	 * Records that everything before `next` is finished. May move back; never moves past what is durable.
	 * @throws RangeError unless `next` is a whole number and not negative.
	 */
	commit(next: number): void;
	/** Resolves when the position is on disk. */
	flush(): Promise<void>;
	/** Forgets the cursor: the log keeps nothing for it any more. */
	remove(): void;
}

/** The cursors of a log. */
export class Cursors {
	readonly #positions: Map<string, number>;
	readonly #tallies = new Map<string, CursorTally>();
	readonly #log: Countable;
	readonly #changed: () => void;
	readonly #save: () => Promise<void>;

	constructor(positions: Record<string, number>, log: Countable, changed: () => void, save: () => Promise<void>) {
		this.#positions = new Map(Object.entries(positions));
		this.#log = log;
		this.#changed = changed;
		this.#save = save;
	}

	get positions(): ReadonlyMap<string, number> {
		return this.#positions;
	}

	/** The tallies of the cursors that were opened. */
	get tallies(): ReadonlyMap<string, CursorTally> {
		return this.#tallies;
	}

	/** The position of the cursor furthest behind; infinite when there is none. */
	slowest(): number {
		let slowest = Number.POSITIVE_INFINITY;
		for (const position of this.#positions.values()) if (position < slowest) slowest = position;
		return slowest;
	}

	open(name: string, start: number): Cursor {
		const positions = this.#positions;
		if (!positions.has(name)) {
			positions.set(name, start);
			this.#changed();
		}
		const tally = this.#tallies.get(name) ?? new CursorTally(this.#log, () => positions.get(name) ?? start);
		this.#tallies.set(name, tally);
		return {
			name,
			tally,
			get position() {
				return positions.get(name) ?? start;
			},
			commit: (next) => {
				if (!Number.isSafeInteger(next) || next < 0) throw new RangeError(`not an offset: ${next}`);
				const position = Math.min(next, this.#log.durableEnd);
				if (!positions.has(name) || positions.get(name) === position) return;
				positions.set(name, position);
				this.#changed();
			},
			flush: () => this.#save(),
			remove: () => {
				this.#tallies.delete(name);
				if (positions.delete(name)) this.#changed();
			},
		};
	}
}
