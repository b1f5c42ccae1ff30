import { backOff } from '@crowdvision/service-kit';

/** A device that never speaks is left so many times its time between two openings at most. */
const LONGEST_WAIT = 16;

/**
 * When a device has been silent for too long. Its port is opened anew then, which helps where an adapter or its driver
 * hangs; each time it does not, the next try is later, with jitter, so that many ports do not do it at once.
 */
export class Silence {
	readonly #afterMs: number;
	#since: number;
	#patience: number;
	#reopened = 0;
	#bytes = 0;

	/** @param now ms of a clock that only moves forward */
	constructor(afterMs: number, now: number) {
		this.#afterMs = afterMs;
		this.#patience = afterMs;
		this.#since = now;
	}

	/** What it said meant something. */
	spoke(now: number): void {
		this.#since = now;
		this.#patience = this.#afterMs;
		this.#reopened = 0;
		this.#bytes = 0;
	}

	/** Bytes came, whatever they mean. */
	heard(bytes: number): void {
		this.#bytes += bytes;
	}

	isTooLong(now: number): boolean {
		return now - this.#since >= this.#patience;
	}

	/** The port is about to be opened anew. */
	reopening(now: number): void {
		this.#since = now;
		this.#patience = this.#afterMs + backOff(this.#reopened++, this.#afterMs, LONGEST_WAIT * this.#afterMs);
	}

	/** What is to be said of it, once it was opened anew in vain. */
	trouble(): string | undefined {
		if (this.#reopened < 2) return undefined;
		const tried = `although the port was opened anew ${this.#reopened - 1} times`;
		if (this.#bytes === 0) return `stuck: nothing is heard of the device, ${tried}`;
		return `stuck: ${this.#bytes} bytes came, but none of it is a frame, ${tried}; are baud rate and framing right?`;
	}
}
