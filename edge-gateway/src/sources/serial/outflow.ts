/** What an Outflow needs of its port. */
export interface Outlet {
	readonly isOpen: boolean;
	/** Calls `done` when the bytes were given to the system, and not before may they be changed. */
	write(bytes: Buffer, done: (error?: Error | null) => void): unknown;
}

const MOST_WAITING = 64 * 1024;

/**
 * What is written to a port: at once while its device reads, and what comes meanwhile in one piece behind it. A device
 * that reads nothing costs two buffers of a fixed size, whatever it is answered: were each answer left to the stream,
 * ten bytes would hold the 64 KiB of Node's pool they lie in.
 */
export class Outflow {
	readonly #port: Outlet;
	#waiting: Buffer;
	#waitingBytes = 0;
	/** Belongs to the port while `#writing`. */
	#other: Buffer;
	#writing = false;

	constructor(port: Outlet, mostWaiting = MOST_WAITING) {
		this.#port = port;
		this.#waiting = Buffer.allocUnsafeSlow(mostWaiting);
		this.#other = Buffer.allocUnsafeSlow(mostWaiting);
	}

	/**
	 * Writes ASCII, whole or not at all. False where it is not written, as the port is closed or too much waits for the
	 * device to read.
	 */
	write(text: string): boolean {
		if (!this.#port.isOpen || this.#waitingBytes + text.length > this.#waiting.length) return false;
		this.#waitingBytes += this.#waiting.write(text, this.#waitingBytes, 'latin1');
		if (!this.#writing) this.#writeOn();
		return true;
	}

	#writeOn(): void {
		const bytes = this.#waiting.subarray(0, this.#waitingBytes);
		[this.#waiting, this.#other] = [this.#other, this.#waiting];
		this.#waitingBytes = 0;
		this.#writing = true;
		this.#port.write(bytes, (error) => {
			this.#writing = false;
			if (!error && this.#waitingBytes > 0 && this.#port.isOpen) this.#writeOn();
		});
	}
}
