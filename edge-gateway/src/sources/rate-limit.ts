import { CrowdVisionError } from '@crowdvision/contracts';

const MOST_BUCKETS = 10_000;

/** A token bucket per sender: `perSecond` messages on average, twice as many at once. */
export class RateLimit {
	#perSecond: number;
	readonly #buckets = new Map<string, { tokens: number; at: number }>();

	constructor(perSecond: number) {
		this.#perSecond = perSecond;
	}

	update(perSecond: number): void {
		this.#perSecond = perSecond;
	}

	/** @throws CrowdVisionError `rate_limited` with the seconds to wait. */
	take(sender: string): void {
		const now = performance.now();
		let bucket = this.#buckets.get(sender);
		if (!bucket) {
			bucket = { tokens: this.#perSecond * 2, at: now };
			this.#buckets.set(sender, bucket);
			if (this.#buckets.size > MOST_BUCKETS) this.#buckets.delete(this.#buckets.keys().next().value!);
		}
		bucket.tokens = Math.min(this.#perSecond * 2, bucket.tokens + ((now - bucket.at) / 1000) * this.#perSecond);
		bucket.at = now;
		if (bucket.tokens < 1) {
			throw new CrowdVisionError(
				'rate_limited',
				`More than ${this.#perSecond} messages a second from ${sender}`,
				{},
				Math.ceil((1 - bucket.tokens) / this.#perSecond),
			);
		}
		bucket.tokens--;
	}
}
