/** Bytes that cost as much as a frame, so that a stream without any frame in it is a flood too. */
const BYTES_PER_FRAME = 1024;
/** A flood is over when the port was not held up for so long. */
const OVER_AFTER_MS = 5000;

/** Measures what a port brings against what it may, over a second: a burst of that much is no flood. */
export class FloodGuard {
	readonly #perSecond: number;
	#left: number;
	#at: number;
	#heldAt = Number.NEGATIVE_INFINITY;

	/** @param now ms of a clock that only moves forward */
	constructor(perSecond: number, now: number) {
		this.#perSecond = perSecond;
		this.#left = perSecond;
		this.#at = now;
	}

	/** Counts what came in. Returns the ms for which the port should not be read; 0: go on. */
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
