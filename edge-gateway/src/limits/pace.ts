import type { Bucket } from './rate-limit.ts';

/**
 * Holds the messages of one connection to the rate of its device and its address: what comes too fast waits here, in
 * order and unacknowledged, and its sender is not read meanwhile. So what waits is never more than what it had sent
 * before.
 */
export class Pace {
	readonly #buckets: readonly Bucket[];
	readonly #held: (() => void)[] = [];
	#timer: NodeJS.Timeout | undefined;

	constructor(buckets: readonly Bucket[]) {
		this.#buckets = buckets;
	}

	/** Whether a message may pass now. If not, give it to `hold`. */
	pass(): boolean {
		return this.#held.length === 0 && this.#take() === 0;
	}

	/** Runs it when its time has come. */
	hold(run: () => void): void {
		this.#held.push(run);
		this.#timer ??= setTimeout(() => this.#release(), this.#wait());
	}

	/** Runs everything that waits now. */
	end(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		for (const run of this.#held.splice(0)) run();
	}

	#release(): void {
		this.#timer = undefined;
		let wait = 0;
		let released = 0;
		while (released < this.#held.length) {
			wait = this.#take();
			if (wait > 0) break;
			this.#held[released++]!();
		}
		this.#held.splice(0, released);
		if (this.#held.length > 0) this.#timer = setTimeout(() => this.#release(), wait);
	}

	#wait(): number {
		const now = performance.now();
		return Math.max(...this.#buckets.map((bucket) => bucket.wait(now)));
	}

	/** 0, and it is counted, or how long to wait. */
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
