/**
 * The pause in ms before the next try after `failures` earlier ones: doubles from `first` to `longest`, with full
 * jitter in its upper half, so that many clients do not return at the same moment.
 */
export function backOff(failures: number, first = 100, longest = 30_000): number {
	const ceiling = Math.min(longest, first * 2 ** Math.min(failures, 30));
	return ceiling / 2 + (Math.random() * ceiling) / 2;
}

/** Resolves after `ms`, or at once when `signal` aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		if (signal?.aborted) return resolve();
		const done = () => {
			clearTimeout(timer);
			signal?.removeEventListener('abort', done);
			resolve();
		};
		const timer = setTimeout(done, ms);
		signal?.addEventListener('abort', done, { once: true });
	});
}

/**
 * Resolves with true once `task` has resolved, or with false after `ms`, while the task goes on. Rejects if the task
 * rejects within that time.
 */
export async function waitAtMost(ms: number, task: Promise<unknown>): Promise<boolean> {
	const patience = new AbortController();
	const done = await Promise.race([task.then(() => true), pause(ms, patience.signal).then(() => false)]);
	patience.abort();
	// Nobody waits for the task any more: it reports its failure itself.
	if (!done) task.catch(() => {});
	return done;
}
