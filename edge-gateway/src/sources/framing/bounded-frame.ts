import type { Discarded } from './framing.ts';

const SAMPLE_BYTES = 256;

/**
 * Collects the bytes of one frame, up to a limit. Of a longer frame it keeps only the first 256 bytes and the length.
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

	/** Bytes held in memory for the frame; 0 once it is too long, its sample aside. */
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

	/** Returns the frame, or a description of one that was too long, and begins the next. */
	finish(): Buffer | Discarded {
		const [parts, bytes, sample] = [this.#parts, this.#length, this.#sample];
		this.#parts = [];
		this.#length = 0;
		this.#sample = undefined;
		if (sample)
			return {
				sample: Buffer.from(sample),
				bytes,
				reason: `a frame of ${bytes} bytes is longer than the limit of ${this.#limit}`,
			};
		return parts.length === 1 ? parts[0]! : Buffer.concat(parts, bytes);
	}
}
