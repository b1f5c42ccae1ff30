const PRECISION = 1.01;
const SCALE = 1 / Math.log(PRECISION);
/** Up to 10^9 µs. */
const BUCKETS = Math.ceil(Math.log(1e9) * SCALE) + 1;

/** Counts durations in buckets of 1 %, from 1 µs on: as exact as it needs to be, and of a fixed size. */
export class Histogram {
	readonly #counts = new Uint32Array(BUCKETS);
	#total = 0;

	record(milliseconds: number): void {
		const microseconds = milliseconds * 1000;
		this.#counts[microseconds <= 1 ? 0 : Math.min(BUCKETS - 1, Math.round(Math.log(microseconds) * SCALE))]!++;
		this.#total++;
	}

	get total(): number {
		return this.#total;
	}

	/** Milliseconds that a share of all durations does not exceed; NaN when there are none. */
	quantile(share: number): number {
		const wanted = Math.ceil(this.#total * share);
		let seen = 0;
		for (let bucket = 0; bucket < BUCKETS && this.#total > 0; bucket++) {
			seen += this.#counts[bucket]!;
			if (seen >= wanted) return PRECISION ** bucket / 1000;
		}
		return Number.NaN;
	}

	clear(): void {
		this.#counts.fill(0);
		this.#total = 0;
	}
}
