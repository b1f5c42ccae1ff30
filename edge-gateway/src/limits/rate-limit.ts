import { CrowdVisionError } from '@crowdvision/contracts';

const MOST_BUCKETS = 10_000;

/** How many messages a second are taken; may change while buckets are in use. */
interface Rate {
	perSecond: number;
}

/** A token bucket: so many messages a second on average, twice as many at once. Times are monotonic, in ms. */
export class Bucket {
	readonly #rate: Rate;
	#tokens: number;
	#at: number;

	constructor(rate: Rate, now: number) {
		this.#rate = rate;
		this.#tokens = rate.perSecond * 2;
		this.#at = now;
	}

	/** How long, in ms, until a message may pass; 0: now. */
	wait(now: number): number {
		const { perSecond } = this.#rate;
		this.#tokens = Math.min(perSecond * 2, this.#tokens + ((now - this.#at) / 1000) * perSecond);
		this.#at = now;
		return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) / perSecond) * 1000);
	}

	/** Counts a message that passes now. */
	spend(): void {
		this.#tokens--;
	}
}

/** A bucket for each of many senders; the one heard of first is forgotten beyond ten thousand. */
export class RateLimit {
	readonly #rate: Rate;
	readonly #buckets = new Map<string, Bucket>();

	constructor(perSecond: number) {
		this.#rate = { perSecond };
	}

	update(perSecond: number): void {
		this.#rate.perSecond = perSecond;
	}

	/** The bucket of a sender, to be held on to by who asks it often. */
	of(sender: string): Bucket {
		let bucket = this.#buckets.get(sender);
		if (!bucket) {
			bucket = new Bucket(this.#rate, performance.now());
			this.#buckets.set(sender, bucket);
			if (this.#buckets.size > MOST_BUCKETS) this.#buckets.delete(this.#buckets.keys().next().value!);
		}
		return bucket;
	}

	/** @throws CrowdVisionError `rate_limited` with the seconds to wait. */
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
