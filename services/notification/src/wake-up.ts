import { pause } from '@crowdvision/service-kit';

/** The longest time that a timer accepts. */
const FOREVER_MS = 2 ** 31 - 1;

/** Lets a loop wait until it is called. A call before the wait counts. */
export class WakeUp {
	#called = Promise.withResolvers<void>();

	call(): void {
		this.#called.resolve();
	}

	/** Resolves once it was called since the last wait, after `ms`, or when the signal aborts. */
	async wait(signal: AbortSignal, ms = FOREVER_MS): Promise<void> {
		const called = new AbortController();
		await Promise.race([this.#called.promise, pause(ms, AbortSignal.any([signal, called.signal]))]);
		called.abort();
		this.#called = Promise.withResolvers();
	}
}
