export interface RetryDelays {
	/** Upper bound of the delay after the first failure, ms. */
	firstMs: number;
	/** Upper bound of every delay, ms. */
	longestMs: number;
}

/**
 * Schedules one retry at a time. The upper bound of the delay doubles with each retry since the last `reset`; the delay
 * is random in the upper half of that bound, so that many pages do not come back at the same moment.
 */
export class RetryTimer {
	readonly #delays: RetryDelays;
	#failures = 0;
	#timer: ReturnType<typeof setTimeout> | undefined;

	constructor(delays: RetryDelays) {
		this.#delays = delays;
	}

	/** Runs `retry` after the delay. Replaces a retry that is still pending. */
	schedule(retry: () => void): void {
		this.cancel();
		const { firstMs, longestMs } = this.#delays;
		const bound = Math.min(longestMs, firstMs * 2 ** Math.min(this.#failures, 30));
		this.#failures += 1;
		this.#timer = setTimeout(retry, bound / 2 + (Math.random() * bound) / 2);
	}

	/** Drops a pending retry; the next delay is as long as it would have been. */
	cancel(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
	}

	/** Call after a success: the next delay is a short one again. Leaves a pending retry alone. */
	reset(): void {
		this.#failures = 0;
	}
}
