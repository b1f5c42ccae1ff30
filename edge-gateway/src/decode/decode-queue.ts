import { CrowdVisionError } from '@crowdvision/contracts';

const MAX_FRAMES = 4096;
const MAX_BYTES = 16 * 1024 * 1024;
const RETRY_AFTER_SECONDS = 1;

/**
 * Keeps each sender's frames in order while one of them is decoded asynchronously: later frames of that sender wait,
 * also those that need no decoding. Bounded by frames and bytes; above the bound the sender must deliver again.
 */
export class DecodeQueue {
	readonly #lanes = new Map<string, Promise<void>>();
	readonly #bounds: { frames: number; bytes: number };
	#frames = 0;
	#bytes = 0;

	constructor(bounds = { frames: MAX_FRAMES, bytes: MAX_BYTES }) {
		this.#bounds = bounds;
	}

	/** Whether a frame of this sender waits, so that its next frames must wait too. */
	isWaiting(sender: string): boolean {
		return this.#lanes.size > 0 && this.#lanes.has(sender);
	}

	/**
	 * Calls `decode` after the sender's earlier frames, then `done` with the result or the error. Both run synchronously
	 * if no frame of the sender waits and `decode` returns no promise.
	 * @throws CrowdVisionError `unavailable` at the bound, and any error that `decode` throws synchronously.
	 */
	run<T>(
		sender: string,
		bytes: number,
		decode: () => T | Promise<T>,
		done: (error: Error | undefined, decoded?: T) => void,
	): void {
		if (this.#frames >= this.#bounds.frames || this.#bytes + bytes > this.#bounds.bytes) {
			throw new CrowdVisionError('unavailable', 'Too many messages are waiting to be decoded', {}, RETRY_AFTER_SECONDS);
		}
		const before = this.#lanes.get(sender);
		if (!before) {
			const decoded = decode();
			if (decoded instanceof Promise) this.#wait(sender, bytes, decoded, done);
			else done(undefined, decoded);
			return;
		}
		this.#wait(sender, bytes, before.then(decode), done);
	}

	#wait<T>(
		sender: string,
		bytes: number,
		decoded: Promise<T>,
		done: (error: Error | undefined, decoded?: T) => void,
	): void {
		this.#frames++;
		this.#bytes += bytes;
		const lane = decoded
			.then(
				(value) => done(undefined, value),
				(error: Error) => done(error),
			)
			.finally(() => {
				this.#frames--;
				this.#bytes -= bytes;
				if (this.#lanes.get(sender) === lane) this.#lanes.delete(sender);
			});
		this.#lanes.set(sender, lane);
	}
}
