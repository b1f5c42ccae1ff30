import type { PlainLogger } from '../plain-logger.ts';
import { backOff, pause } from './back-off.ts';

/** The pause after the first failure and the longest pause, in ms; the pause doubles in between. */
export interface BackOffRange {
	/** Default 100. */
	firstMs?: number;
	/** Default 30,000. */
	longestMs?: number;
}

export interface RetryOptions extends BackOffRange {
	/** What is being tried, as the subject of "… failed": `reading the stream telemetry`. */
	what: string;
	/** Aborting it ends a pause at once; nothing is tried after that. */
	signal?: AbortSignal;
	/** Logs the first of several failures in a row, and the success that follows them. Default: logs nothing. */
	logger?: PlainLogger;
	/** How the first failure is logged. Default `warn`. */
	level?: 'warn' | 'error';
	/** Details that go into each log line. */
	details?: object;
	/** Called after each failure, before the pause. */
	onFailure?(state: RetryState): void;
}

/** A task that failed and will be tried again. Durations are in ms. */
export interface RetryState {
	what: string;
	/** Failures in a row. */
	failures: number;
	/** The last error. */
	error: unknown;
	/** How long ago the first of these failures was. */
	failingForMs: number;
	/** Time until the next try; 0 while it is under way. */
	nextTryInMs: number;
}

/**
 * Counts the failures in a row of one task and waits between its tries: the building block of `keepTrying` and
 * `keepRunning`, for loops that do not fit either. Call `failed` after each failure and `succeeded` after each success.
 */
export class Retry {
	readonly #options: RetryOptions;
	#failures = 0;
	#error: unknown;
	#failingSince = 0;
	#nextTryAt = 0;
	#pausing = new AbortController();

	constructor(options: RetryOptions) {
		this.#options = options;
	}

	get signal(): AbortSignal | undefined {
		return this.#options.signal;
	}

	/** Failures since the last success. */
	get failures(): number {
		return this.#failures;
	}

	/** Undefined while nothing has failed, or once a try has succeeded. */
	get state(): RetryState | undefined {
		if (this.#failures === 0) return undefined;
		const now = performance.now();
		return {
			what: this.#options.what,
			failures: this.#failures,
			error: this.#error,
			failingForMs: now - this.#failingSince,
			nextTryInMs: Math.max(0, this.#nextTryAt - now),
		};
	}

	/** The state as one line for a log or a readiness probe; undefined where `state` is. */
	trouble(): string | undefined {
		const { state } = this;
		return state && describeRetry(state);
	}

	/**
	 * Resolves when it is time for the next try: after the pause, or at once when the signal aborts or `tryNow` is
	 * called. Never rejects.
	 */
	async failed(error: unknown, overrides: BackOffRange & { signal?: AbortSignal } = {}): Promise<void> {
		const { signal, firstMs, longestMs } = { ...this.#options, ...overrides };
		const ms = backOff(this.#failures, firstMs, longestMs);
		const now = performance.now();
		this.#error = error;
		this.#nextTryAt = now + ms;
		if (this.#failures++ === 0) {
			this.#failingSince = now;
			const { what, logger, level = 'warn', details } = this.#options;
			logger?.[level]({ err: error, ...details }, `${what} failed; trying again`);
		}
		this.#options.onFailure?.(this.state!);
		this.#pausing = new AbortController();
		await pause(ms, signal ? AbortSignal.any([signal, this.#pausing.signal]) : this.#pausing.signal);
	}

	/** Forgets the failures: the next pause is the first one again. */
	succeeded(): void {
		if (this.#failures === 0) return;
		const { what, logger, details } = this.#options;
		const forMs = Math.round(performance.now() - this.#failingSince);
		logger?.info({ ...details, failures: this.#failures, forMs }, `${what} works again`);
		this.#failures = 0;
		this.#error = undefined;
	}

	/** Ends the present pause, if there is one. */
	tryNow(): void {
		this.#pausing.abort();
	}
}

/** One line, as in `reading the stream: connection lost (failing for 12 s, 5 tries, next try in 3 s)`. */
function describeRetry({ what, failures, error, failingForMs, nextTryInMs }: RetryState): string {
	const reason = error instanceof Error ? error.message : String(error);
	const tries = failures === 1 ? '1 try' : `${failures} tries`;
	const next = nextTryInMs > 0 ? `next try in ${seconds(nextTryInMs)}` : 'trying now';
	return `${what}: ${reason} (failing for ${seconds(failingForMs)}, ${tries}, ${next})`;
}

const seconds = (ms: number) => `${ms < 1000 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)} s`;
