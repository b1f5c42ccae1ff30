/**
 * The same bytes in memory of their own. A Buffer is mostly a piece of something larger: of the chunk it was read in, or of the 64 KiB of Node's pool.
 * That is kept whole while any piece of it is, so whatever is kept for longer than its message takes must own what it keeps, or its bound says nothing.
 */
export function ownBytes(bytes: Buffer): Buffer {
	if (bytes.length === bytes.buffer.byteLength) return bytes;
	const own = Buffer.allocUnsafeSlow(bytes.length);
	bytes.copy(own);
	return own;
}
