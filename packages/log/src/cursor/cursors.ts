import type { Cursor } from '../types.ts';
import { type Countable, CursorAccount } from './cursor-tally.ts';

/** The consumers' places. */
export class Cursors {
	readonly #positions: Map<string, number>;
	readonly #accounts = new Map<string, CursorAccount>();
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

	/** The books of those that were opened. */
	get accounts(): ReadonlyMap<string, CursorAccount> {
		return this.#accounts;
	}

	/** The place of the one that is furthest behind; infinite when there is none. */
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
		const account = this.#accounts.get(name) ?? new CursorAccount(this.#log, () => positions.get(name) ?? start);
		this.#accounts.set(name, account);
		return {
			name,
			account,
			get position() {
				return positions.get(name) ?? start;
			},
			commit: (next) => {
				if (!Number.isSafeInteger(next) || next < 0) throw new RangeError(`no offset: ${next}`);
				const position = Math.min(next, this.#log.durableEnd);
				if (!positions.has(name) || positions.get(name) === position) return;
				positions.set(name, position);
				this.#changed();
			},
			flush: () => this.#save(),
			remove: () => {
				this.#accounts.delete(name);
				if (positions.delete(name)) this.#changed();
			},
		};
	}
}
