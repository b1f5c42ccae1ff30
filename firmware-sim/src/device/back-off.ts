/** Bounds of the delay after failures, ms. */
export interface Retry {
	firstMs: number;
	longestMs: number;
}

/**
 * The delay before the next try, ms. Its upper bound doubles with each failure up to `longestMs`; the delay is random
 * in the upper half of the bound, so that many devices do not come back at the same moment.
 */
export function backOff(failures: number, { firstMs, longestMs }: Retry): number {
	const bound = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 30));
	return bound / 2 + (Math.random() * bound) / 2;
}

/** Resolves after `ms`, or at once when `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		if (signal.aborted) return resolve();
		const done = () => {
			clearTimeout(timer);
			signal.removeEventListener('abort', done);
			resolve();
		};
		const timer = setTimeout(done, ms);
		signal.addEventListener('abort', done, { once: true });
	});
}
