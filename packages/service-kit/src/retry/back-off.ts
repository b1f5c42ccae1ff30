/**
 * Milliseconds to wait before the try after `attempt` failures: doubles from `first` to `most`, with full jitter in its
 * upper half so that many clients do not come back at the same moment.
 */
export function backOff(attempt: number, first = 100, most = 30_000): number {
	const ceiling = Math.min(most, first * 2 ** Math.min(attempt, 30));
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
 * Resolves with true when `task` has, or with false after `ms`; the task goes on then. Rejects when the task does
 * within that time.
 */
export async function waitAtMost(ms: number, task: Promise<unknown>): Promise<boolean> {
	const patience = new AbortController();
	const done = await Promise.race([task.then(() => true), pause(ms, patience.signal).then(() => false)]);
	patience.abort();
	// Whoever started the task has gone on: its failure is told by the task itself.
	if (!done) task.catch(() => {});
	return done;
}
