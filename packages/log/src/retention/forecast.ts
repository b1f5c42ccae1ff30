interface Sample {
	/** Log time, s. */
	at: number;
	bytes: number;
}

const SAMPLE_EVERY_S = 10;
/**
 * Growth over each of these spans counts, and the fastest tells: a burst that has just begun fills the log as well as a
 * slow rise does.
 */
const SPANS_S = [300, 3600];
const SHORTEST_S = 60;

/** When something that has a bound will reach it, from how it has grown lately. */
export class Forecast {
	readonly #bound: number;
	#samples: Sample[] = [];

	constructor(bound: number) {
		this.#bound = bound;
	}

	/** Whether it is time for another look. */
	due(at: number): boolean {
		const newest = this.#samples.at(-1);
		return !newest || at - newest.at >= SAMPLE_EVERY_S;
	}

	/** So many bytes were held at log time `at`, seconds. */
	add(at: number, bytes: number): void {
		this.#samples.push({ at, bytes });
		if (this.#samples[0]!.at < at - 2 * Math.max(...SPANS_S))
			this.#samples = this.#samples.filter((sample) => sample.at >= at - Math.max(...SPANS_S));
	}

	/**
	 * Hours from the last look until the bound is reached; 0 when it is, infinite where nothing grows or too little is
	 * known.
	 */
	get hours(): number {
		const newest = this.#samples.at(-1);
		if (!newest) return Number.POSITIVE_INFINITY;
		if (newest.bytes >= this.#bound) return 0;
		const perSecond = Math.max(
			...SPANS_S.map((span) => {
				const oldest = this.#samples.find(({ at }) => at >= newest.at - span)!;
				return newest.at - oldest.at < SHORTEST_S ? 0 : (newest.bytes - oldest.bytes) / (newest.at - oldest.at);
			}),
		);
		return perSecond <= 0 ? Number.POSITIVE_INFINITY : (this.#bound - newest.bytes) / perSecond / 3600;
	}
}
