import { CrowdVisionError } from '@crowdvision/contracts';

const MOST_FRAMES = 4096;
const MOST_BYTES = 16 * 1024 * 1024;
const RETRY_AFTER_SECONDS = 1;

/**
 * Keeps the order of each sender's frames where decoding one takes a while: those after it wait, whatever they are.
 * Bounded: beyond it a frame is to be delivered again, so that its sender waits.
 */
export class DecodeQueue {
	readonly #lanes = new Map<string, Promise<void>>();
	readonly #most: { frames: number; bytes: number };
	#frames = 0;
	#bytes = 0;

	constructor(most = { frames: MOST_FRAMES, bytes: MOST_BYTES }) {
		this.#most = most;
	}

	/** Whether something of this sender waits, so that what comes after it must wait too. */
	holds(sender: string): boolean {
		return this.#lanes.size > 0 && this.#lanes.has(sender);
	}

	/**
	 * Calls `decode` in its turn, and `then` with what came of it, before anything that this sender sends later. At once,
	 * where nothing waits and
	 * `decode` does not answer later.
	 * @throws CrowdVisionError `unavailable` at the bound, and what `decode` throws at once.
	 */
	run<T>(
		sender: string,
		bytes: number,
		decode: () => T | Promise<T>,
		then: (error: Error | undefined, decoded?: T) => void,
	): void {
		if (this.#frames >= this.#most.frames || this.#bytes + bytes > this.#most.bytes) {
			throw new CrowdVisionError('unavailable', 'Too many messages wait to be decoded', {}, RETRY_AFTER_SECONDS);
		}
		const before = this.#lanes.get(sender);
		if (!before) {
			const decoded = decode();
			if (decoded instanceof Promise) this.#wait(sender, bytes, decoded, then);
			else then(undefined, decoded);
			return;
		}
		this.#wait(sender, bytes, before.then(decode), then);
	}

	#wait<T>(
		sender: string,
		bytes: number,
		decoded: Promise<T>,
		then: (error: Error | undefined, decoded?: T) => void,
	): void {
		this.#frames++;
		this.#bytes += bytes;
		const lane = decoded
			.then(
				(value) => then(undefined, value),
				(error: Error) => then(error),
			)
			.finally(() => {
				this.#frames--;
				this.#bytes -= bytes;
				if (this.#lanes.get(sender) === lane) this.#lanes.delete(sender);
			});
		this.#lanes.set(sender, lane);
	}
}
