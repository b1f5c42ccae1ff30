import { backOff } from '@crowdvision/service-kit';

/** Longest time between two reopenings, as a multiple of the configured silence. */
const MAX_WAIT_FACTOR = 16;

/**
 * Decides when a device has been silent for so long that its port is to be reopened, which helps where an adapter or
 * its driver hangs. Each reopening that does not help delays the next one, with jitter, so that many ports do not
 * reopen at once.
 */
export class SilenceWatch {
	readonly #afterMs: number;
	#since: number;
	#waitMs: number;
	#reopened = 0;
	#bytes = 0;

	/**
	 * @param afterMs silence after which the port is reopened first
	 * @param now ms of a monotonic clock
	 */
	constructor(afterMs: number, now: number) {
		this.#afterMs = afterMs;
		this.#waitMs = afterMs;
		this.#since = now;
	}

	/** Notes a frame or message that could be understood: the silence is over. */
	messageReceived(now: number): void {
		this.#since = now;
		this.#waitMs = this.#afterMs;
		this.#reopened = 0;
		this.#bytes = 0;
	}

	/** Notes bytes, which may be garbage. */
	bytesReceived(bytes: number): void {
		this.#bytes += bytes;
	}

	/** Whether the port is to be reopened now. */
	isTooLong(now: number): boolean {
		return now - this.#since >= this.#waitMs;
	}

	/** Notes that the port is being reopened. */
	reopening(now: number): void {
		this.#since = now;
		this.#waitMs = this.#afterMs + backOff(this.#reopened++, this.#afterMs, MAX_WAIT_FACTOR * this.#afterMs);
	}

	/** The reason for a person, once reopening the port has not helped. */
	trouble(): string | undefined {
		if (this.#reopened < 2) return undefined;
		const tried = `although the port was reopened ${this.#reopened - 1} times`;
		if (this.#bytes === 0) return `stuck: the device sends nothing, ${tried}`;
		return `stuck: ${this.#bytes} bytes arrived, but no frame, ${tried}; check the baud rate and the framing`;
	}
}
