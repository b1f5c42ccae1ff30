interface Sample {
	/** Log time, s. */
	at: number;
	bytes: number;
}

const SAMPLE_EVERY_S = 10;
/** Growth is measured over each of these spans, and the fastest counts: a burst fills the log as a slow rise does. */
const SPANS_S = [300, 3600];
const SHORTEST_S = 60;

/** Extrapolates recent growth to predict when a bound is reached. */
export class Forecast {
	readonly #bound: number;
	#samples: Sample[] = [];

	constructor(bound: number) {
		this.#bound = bound;
	}

	/** Whether the next sample is due. `at`: log time in seconds. */
	due(at: number): boolean {
		const newest = this.#samples.at(-1);
		return !newest || at - newest.at >= SAMPLE_EVERY_S;
	}

	/** Adds a sample: `bytes` at log time `at`, in seconds. */
	add(at: number, bytes: number): void {
		this.#samples.push({ at, bytes });
		if (this.#samples[0]!.at < at - 2 * Math.max(...SPANS_S))
			this.#samples = this.#samples.filter((sample) => sample.at >= at - Math.max(...SPANS_S));
	}

	/**
	 * Hours from the last sample until the bound is reached; 0 if it is reached, infinite without growth or with too few
	 * samples.
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
