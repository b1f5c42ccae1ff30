/** How many messages a second may pass; may change while buckets use it. */
export interface Rate {
	perSecond: number;
}

/** A token bucket: `perSecond` messages a second on average, twice as many at once. Times are monotonic, in ms. */
export class TokenBucket {
	readonly #rate: Rate;
	#tokens: number;
	#at: number;

	constructor(rate: Rate, now: number) {
		this.#rate = rate;
		this.#tokens = rate.perSecond * 2;
		this.#at = now;
	}

	/** Time until a message may pass; 0: it may pass now. */
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
