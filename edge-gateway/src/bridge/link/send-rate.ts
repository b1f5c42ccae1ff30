import { pause } from '@crowdvision/service-kit';

/** Limits the messages per second to a remote: a token bucket that holds one second's worth. */
export class SendRate {
	readonly #perSecond: () => number;
	#tokens = 0;
	#at = performance.now();

	/** @param perSecond returns the limit that is in force; 0: none */
	constructor(perSecond: () => number) {
		this.#perSecond = perSecond;
	}

	/** Resolves when the next message may be sent, or `signal` aborts. */
	async next(signal: AbortSignal): Promise<void> {
		const perSecond = this.#perSecond();
		if (perSecond === 0) return;
		const now = performance.now();
		this.#tokens = Math.min(perSecond, this.#tokens + ((now - this.#at) / 1000) * perSecond);
		this.#at = now;
		this.#tokens--;
		if (this.#tokens < 0) await pause((-this.#tokens / perSecond) * 1000, signal);
	}
}
