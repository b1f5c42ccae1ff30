/** Writes answers to a port within a bound of memory. */

/** What an Outflow needs of its port. */
export interface Outlet {
	readonly isOpen: boolean;
	/** Owns `bytes` until it calls `done`, which it does once the kernel has them. */
	write(bytes: Buffer, done: (error?: Error | null) => void): unknown;
}

const MAX_WAITING_BYTES = 64 * 1024;

/**
 * Writes answers to a port, one write at a time; answers that come meanwhile are collected and written as one piece. A
 * device that reads nothing costs two buffers of a fixed size. If each answer were left to the stream, an answer of ten
 * bytes could keep the 64 KiB of Node's buffer pool that it lies in.
 */
export class Outflow {
	readonly #port: Outlet;
	#waiting: Buffer;
	#waitingBytes = 0;
	/** Owned by the port while `#isWriting`. */
	#other: Buffer;
	#isWriting = false;

	constructor(port: Outlet, maxWaitingBytes = MAX_WAITING_BYTES) {
		this.#port = port;
		this.#waiting = Buffer.allocUnsafeSlow(maxWaitingBytes);
		this.#other = Buffer.allocUnsafeSlow(maxWaitingBytes);
	}

	/**
	 * Writes ASCII text, whole or not at all. False when nothing is written: the port is closed, or the text does not fit
	 * behind what waits for the device to read.
	 */
	write(text: string): boolean {
		if (!this.#port.isOpen || this.#waitingBytes + text.length > this.#waiting.length) return false;
		this.#waitingBytes += this.#waiting.write(text, this.#waitingBytes, 'latin1');
		if (!this.#isWriting) this.#writeWaiting();
		return true;
	}

	#writeWaiting(): void {
		const bytes = this.#waiting.subarray(0, this.#waitingBytes);
		[this.#waiting, this.#other] = [this.#other, this.#waiting];
		this.#waitingBytes = 0;
		this.#isWriting = true;
		this.#port.write(bytes, (error) => {
			this.#isWriting = false;
			if (!error && this.#waitingBytes > 0 && this.#port.isOpen) this.#writeWaiting();
		});
	}
}
