import { Retry, type RetryOptions } from './retry-state.ts';

/** When `keepTrying` gives up; by default only when its signal aborts. */
export interface RetryBounds {
	/** Tries in all, the first included. */
	maxTries?: number;
	/** No further try follows a failure later than this after the first try began, in ms. */
	withinMs?: number;
	/** Which errors to try again after; any other is thrown at once. */
	retryIf?(error: unknown): boolean;
}

/**
 * Runs `task` until it succeeds, with a growing pause after each failure, and resolves with its result. `attempt`
 * counts from 0. The task runs at least once, also when the signal is aborted already.
 * @throws the task's last error once the signal aborts or a bound is reached, or at once where `retryIf` says no.
 */
export async function keepTrying<T>(
	task: (attempt: number) => T | Promise<T>,
	options: RetryOptions & RetryBounds,
): Promise<T> {
	const { signal, maxTries = Number.POSITIVE_INFINITY, withinMs = Number.POSITIVE_INFINITY, retryIf } = options;
	const retry = new Retry(options);
	const began = performance.now();
	for (let attempt = 0; ; attempt++) {
		try {
			const result = await task(attempt);
			retry.succeeded();
			return result;
		} catch (error) {
			const isLast = attempt + 1 >= maxTries || performance.now() - began > withinMs;
			if (isLast || signal?.aborted || retryIf?.(error) === false) throw error;
			await retry.failed(error);
			if (signal?.aborted) throw error;
		}
	}
}

/**
 * Runs `step` again and again until the signal aborts: at once after a success, after a growing pause when it throws or
 * rejects. A long step, such as work with one connection, calls `succeeded` whenever it has made progress, so that its
 * end counts as a first failure. Resolves when the signal has aborted and the step under way has ended; never rejects.
 *
 * Pass a `Retry` instead of its options to read the state elsewhere; it must have a signal.
 */
export async function keepRunning(
	step: (succeeded: () => void) => void | Promise<void>,
	options: Retry | (RetryOptions & { signal: AbortSignal }),
): Promise<void> {
	const retry = options instanceof Retry ? options : new Retry(options);
	const { signal } = retry;
	if (!signal) throw new TypeError('keepRunning needs a signal to end it');
	const succeeded = () => retry.succeeded();
	while (!signal.aborted) {
		try {
			await step(succeeded);
			succeeded();
		} catch (error) {
			if (!signal.aborted) await retry.failed(error);
		}
	}
}
