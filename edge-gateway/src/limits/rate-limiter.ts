import { CrowdVisionError } from '@crowdvision/contracts';
import { type Rate, TokenBucket } from './token-bucket.ts';

const MAX_BUCKETS = 10_000;

/**
 * A token bucket for each sender, all with the same rate. Beyond ten thousand senders, the oldest bucket is forgotten.
 */
export class RateLimiter {
	readonly #rate: Rate;
	readonly #buckets = new Map<string, TokenBucket>();

	constructor(perSecond: number) {
		this.#rate = { perSecond };
	}

	update(perSecond: number): void {
		this.#rate.perSecond = perSecond;
	}

	/** The bucket of a sender. A caller that needs it for each message keeps it. */
	of(sender: string): TokenBucket {
		let bucket = this.#buckets.get(sender);
		if (!bucket) {
			bucket = new TokenBucket(this.#rate, performance.now());
			this.#buckets.set(sender, bucket);
			if (this.#buckets.size > MAX_BUCKETS) this.#buckets.delete(this.#buckets.keys().next().value!);
		}
		return bucket;
	}

	/**
	 * Counts a message of a sender.
	 * @throws CrowdVisionError `rate_limited` with the seconds to wait
	 */
	take(sender: string): void {
		const bucket = this.of(sender);
		const wait = bucket.wait(performance.now());
		if (wait > 0) {
			throw new CrowdVisionError(
				'rate_limited',
				`More than ${this.#rate.perSecond} messages a second from ${sender}`,
				{},
				Math.ceil(wait / 1000),
			);
		}
		bucket.spend();
	}
}
