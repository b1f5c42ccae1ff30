/** This many bytes count as one more frame, so that a stream without any frame in it is a flood too. */
const BYTES_PER_FRAME = 1024;
/** A flood is over when the port has not been paused for this long. */
const OVER_AFTER_MS = 5000;

/** Limits the frames per second of one port (a token bucket): a burst of up to one second's worth is no flood. */
export class FloodGuard {
	readonly #perSecond: number;
	#left: number;
	#at: number;
	#heldAt = Number.NEGATIVE_INFINITY;

	/** @param now ms of a monotonic clock */
	constructor(perSecond: number, now: number) {
		this.#perSecond = perSecond;
		this.#left = perSecond;
		this.#at = now;
	}

	/** Counts what was read. Returns for how many ms the port should not be read; 0 means go on. */
	spend(frames: number, bytes: number, now: number): number {
		this.#left =
			Math.min(this.#perSecond, this.#left + ((now - this.#at) * this.#perSecond) / 1000) -
			frames -
			bytes / BYTES_PER_FRAME;
		this.#at = now;
		if (this.#left >= 0) return 0;
		this.#heldAt = now;
		return Math.ceil((-this.#left * 1000) / this.#perSecond);
	}

	isFlooding(now: number): boolean {
		return now - this.#heldAt < OVER_AFTER_MS;
	}
}
