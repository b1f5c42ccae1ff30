/**
 * Returns the bytes in memory of exactly their size; copies them unless they already are. A Buffer is usually a slice
 * of something larger: of the chunk it was read in, or of the 64 KiB of Node's pool. One slice keeps all of that alive,
 * so whatever stores bytes for longer than it takes to handle a message must own them, or its bound in bytes bounds
 * nothing.
 */
export function ownBytes(bytes: Buffer): Buffer {
	if (bytes.length === bytes.buffer.byteLength) return bytes;
	const own = Buffer.allocUnsafeSlow(bytes.length);
	bytes.copy(own);
	return own;
}

const BLOCK_BYTES = 16 * 1024;

/**
 * Copies many small pieces that are stored together and released in order, such as a queue, into shared blocks of
 * 16 KiB that hold nothing else. A block is freed with the last of its pieces.
 */
export class OwnBlocks {
	#block: Buffer | undefined;
	#used = 0;

	copy(bytes: Buffer): Buffer {
		if (bytes.length > BLOCK_BYTES / 4) return ownBytes(bytes);
		if (!this.#block || this.#used + bytes.length > BLOCK_BYTES) {
			this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
			this.#used = 0;
		}
		const own = this.#block.subarray(this.#used, this.#used + bytes.length);
		this.#used += bytes.copy(own);
		return own;
	}

	/** Lets go of the current block, when the queue has become empty. */
	release(): void {
		this.#block = undefined;
	}
}
