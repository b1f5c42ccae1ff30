/** Counts what is refused although its like was taken before: what a change of the configuration can be blamed for. */

/** Counts of one part, in messages. */
export interface PartTally {
	taken: number;
	/** Refused, although the sensor or the source had been taken before. */
	lost: number;
}

/** Where a message came from, and what reads it. */
export interface Origin {
	/** Transport, topic or port, and sender. */
	source: string;
	/** `decoder {rule}` or `serial {port}`; undefined for messages of the gateway's own format over other ways. */
	part: string | undefined;
}

const MAX_SOURCES = 8192;

/**
 * Tells refusals that a configuration has caused from those of strangers. A message counts as lost if its sensor has
 * sent before; or, where its sensor cannot be told, if its source has; or if its source has been taken before, but not
 * since the configuration changed. A sensor that nobody has adopted yet loses nothing.
 */
export class Regressions {
	/** By source, the one taken last at the end: which part took it, and under which configuration. */
	readonly #taken = new Map<string, { part: string; generation: number }>();
	readonly #parts = new Map<string, PartTally>();
	#generation = 0;
	/** Lost messages of all parts. */
	lost = 0;

	/** Called when another configuration is applied. */
	configured(): void {
		this.#generation++;
	}

	/** Counts a message that was taken. */
	took({ source, part }: Origin): void {
		if (part === undefined) return;
		this.#of(part).taken++;
		const known = this.#taken.get(source);
		if (known?.part === part && known.generation === this.#generation) return;
		this.#taken.delete(source);
		this.#taken.set(source, { part, generation: this.#generation });
		if (this.#taken.size > MAX_SOURCES) this.#taken.delete(this.#taken.keys().next().value!);
	}

	/**
	 * Counts a message that was refused.
	 * @param sensor whether its sensor has sent before; undefined where no sensor can be told
	 */
	refused({ source, part }: Origin, sensor: 'known' | 'new' | undefined): void {
		const before = this.#taken.get(source);
		const isLost =
			sensor === 'known' || (before !== undefined && (sensor === undefined || before.generation !== this.#generation));
		if (!isLost) return;
		this.lost++;
		const name = part ?? before?.part;
		if (name !== undefined) this.#of(name).lost++;
		// A rule that took the message before has lost it, also to another rule.
		if (before && before.part !== name) this.#of(before.part).lost++;
	}

	/** The counts by part, as they are now. */
	parts(): Map<string, PartTally> {
		return new Map([...this.#parts].map(([name, tally]) => [name, { ...tally }]));
	}

	#of(part: string): PartTally {
		let tally = this.#parts.get(part);
		if (!tally) {
			tally = { taken: 0, lost: 0 };
			this.#parts.set(part, tally);
		}
		return tally;
	}
}
