import type { Discarded } from './framing.ts';

const SAMPLE_BYTES = 256;

/**
 * The bytes of one frame as they come in, up to a bound; of a longer one only its beginning and its length are kept.
 */
export class BoundedFrame {
	readonly #limit: number;
	#parts: Buffer[] = [];
	#length = 0;
	#sample: Buffer | undefined;

	constructor(limit: number) {
		this.#limit = limit;
	}

	get length(): number {
		return this.#length;
	}

	/** Bytes that are kept of it. */
	get held(): number {
		return this.#sample ? 0 : this.#length;
	}

	add(part: Buffer): void {
		if (part.length === 0) return;
		this.#length += part.length;
		if (this.#sample) return;
		this.#parts.push(part);
		if (this.#length <= this.#limit) return;
		this.#sample = Buffer.concat(this.#parts).subarray(0, SAMPLE_BYTES);
		this.#parts = [];
	}

	/** The whole frame, or what is to be said of one that was too long. The next begins. */
	finish(): Buffer | Discarded {
		const [parts, bytes, sample] = [this.#parts, this.#length, this.#sample];
		this.#parts = [];
		this.#length = 0;
		this.#sample = undefined;
		if (sample)
			return { sample: Buffer.from(sample), bytes, reason: `a frame of ${bytes} bytes is longer than ${this.#limit}` };
		return parts.length === 1 ? parts[0]! : Buffer.concat(parts, bytes);
	}
}
