const PRECISION = 1.01;
const SCALE = 1 / Math.log(PRECISION);
/** Up to 10^9 µs. */
const BUCKETS = Math.ceil(Math.log(1e9) * SCALE) + 1;

/** A histogram of durations with buckets of 1 %, from 1 µs; its memory does not grow. */
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

	/** The duration, ms, that this share of all durations does not exceed; NaN if nothing was recorded. */
	quantile(share: number): number {
		const wanted = Math.ceil(this.#total * share);
		let passed = 0;
		for (let bucket = 0; bucket < BUCKETS && this.#total > 0; bucket++) {
			passed += this.#counts[bucket]!;
			if (passed >= wanted) return PRECISION ** bucket / 1000;
		}
		return Number.NaN;
	}

	clear(): void {
		this.#counts.fill(0);
		this.#total = 0;
	}
}
