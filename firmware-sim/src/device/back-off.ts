/** How long to wait after failures, ms. */
export interface Retry {
	firstMs: number;
	mostMs: number;
}

/**
 * Doubles with each failure, with jitter in its upper half so that many devices do not come back at the same moment.
 */
export function backOff(failures: number, { firstMs, mostMs }: Retry): number {
	const ceiling = Math.min(mostMs, firstMs * 2 ** Math.min(failures, 30));
	return ceiling / 2 + (Math.random() * ceiling) / 2;
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
