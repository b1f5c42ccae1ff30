/**
 * The same bytes in memory of their own. A Buffer is mostly a piece of something larger: of the chunk it was read in,
 * or of the 64 KiB of Node's pool. That is kept whole while any piece of it is, so whatever is kept for longer than its
 * message takes must own what it keeps, or its bound says nothing.
 */
export function ownBytes(bytes: Buffer): Buffer {
	if (bytes.length === bytes.buffer.byteLength) return bytes;
	const own = Buffer.allocUnsafeSlow(bytes.length);
	bytes.copy(own);
	return own;
}

const BLOCK = 16 * 1024;

/**
 * The same for many small pieces that are kept together and go in their order: they share blocks that nobody else has a
 * piece of.
 */
export class OwnBlocks {
	#block: Buffer | undefined;
	#used = 0;

	keep(bytes: Buffer): Buffer {
		if (bytes.length > BLOCK / 4) return ownBytes(bytes);
		if (!this.#block || this.#used + bytes.length > BLOCK) {
			this.#block = Buffer.allocUnsafeSlow(BLOCK);
			this.#used = 0;
		}
		const own = this.#block.subarray(this.#used, this.#used + bytes.length);
		this.#used += bytes.copy(own);
		return own;
	}

	/** Nothing more is kept for now: the block goes with the last of its pieces. */
	end(): void {
		this.#block = undefined;
	}
}
