/** A copy in memory of its own: what is kept for long must not keep Node's pool or a whole chunk alive. */
export function ownCopy(bytes: Buffer | string): Buffer {
	const source = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
	const copy = Buffer.alloc(source.length);
	source.copy(copy);
	return copy;
}
