import type { Cursor } from './types.ts';

/** The consumers' places. */
export class Cursors {
	readonly #positions: Map<string, number>;
	readonly #end: () => number;
	readonly #changed: () => void;
	readonly #save: () => Promise<void>;

	constructor(positions: Record<string, number>, end: () => number, changed: () => void, save: () => Promise<void>) {
		this.#positions = new Map(Object.entries(positions));
		this.#end = end;
		this.#changed = changed;
		this.#save = save;
	}

	get positions(): ReadonlyMap<string, number> {
		return this.#positions;
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
		return {
			name,
			get position() {
				return positions.get(name) ?? start;
			},
			commit: (next) => {
				if (!Number.isSafeInteger(next) || next < 0) throw new RangeError(`no offset: ${next}`);
				const position = Math.min(next, this.#end());
				if (!positions.has(name) || positions.get(name) === position) return;
				positions.set(name, position);
				this.#changed();
			},
			flush: () => this.#save(),
			remove: () => {
				if (positions.delete(name)) this.#changed();
			},
		};
	}
}
