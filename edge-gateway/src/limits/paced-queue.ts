import type { TokenBucket } from './token-bucket.ts';

/**
 * Holds the messages of one connection to the rates of its device and its address. A message that comes too fast waits
 * here, in order and unacknowledged, and nothing more is read from the connection meanwhile. So no more waits here than
 * the connection had sent before.
 */
export class PacedQueue {
	readonly #buckets: readonly TokenBucket[];
	readonly #waiting: (() => void)[] = [];
	#timer: NodeJS.Timeout | undefined;

	constructor(buckets: readonly TokenBucket[]) {
		this.#buckets = buckets;
	}

	/** Whether a message may pass now; then it is counted. If not, give it to `hold`. */
	pass(): boolean {
		return this.#waiting.length === 0 && this.#take() === 0;
	}

	/** Calls `run` once the rates allow it. */
	hold(run: () => void): void {
		this.#waiting.push(run);
		this.#timer ??= setTimeout(() => this.#release(), this.#wait());
	}

	/** Runs everything that waits, at once. */
	end(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		for (const run of this.#waiting.splice(0)) run();
	}

	#release(): void {
		this.#timer = undefined;
		let wait = 0;
		let released = 0;
		while (released < this.#waiting.length) {
			wait = this.#take();
			if (wait > 0) break;
			this.#waiting[released++]!();
		}
		this.#waiting.splice(0, released);
		if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#release(), wait);
	}

	#wait(): number {
		const now = performance.now();
		return Math.max(...this.#buckets.map((bucket) => bucket.wait(now)));
	}

	/** Counts a message and returns 0, or returns the time to wait in ms. */
	#take(): number {
		const now = performance.now();
		for (const bucket of this.#buckets) {
			const wait = bucket.wait(now);
			if (wait > 0) return wait;
		}
		for (const bucket of this.#buckets) bucket.spend();
		return 0;
	}
}
