/** The longest run of bytes that one code byte stands for. */
const LONGEST_RUN = 0xfe;

/**
 * Consistent Overhead Byte Stuffing (Cheshire and Baker, IEEE/ACM Transactions on Networking 7(2), 1999): encodes bytes
 * so that no zero is among them, at the cost of at most one byte for each 254. The zero that ends a frame on the wire
 * is not included.
 */
export function encodeCobs(bytes: Uint8Array): Buffer {
	const out = Buffer.alloc(bytes.length + Math.floor(bytes.length / LONGEST_RUN) + 1);
	let code = 0;
	let end = 1;
	for (const [index, byte] of bytes.entries()) {
		if (byte !== 0) out[end++] = byte;
		if (byte === 0 || (end - code > LONGEST_RUN && index < bytes.length - 1)) {
			out[code] = end - code;
			code = end++;
		}
	}
	out[code] = end - code;
	return out.subarray(0, end);
}

/** Decodes one frame, without the zero that ends it; undefined when the bytes are not COBS. */
export function decodeCobs(frame: Uint8Array): Buffer | undefined {
	const out = Buffer.allocUnsafe(frame.length);
	let end = 0;
	for (let at = 0; at < frame.length; ) {
		const code = frame[at++]!;
		const run = frame.subarray(at, at + code - 1);
		if (code === 0 || run.length < code - 1 || run.includes(0)) return undefined;
		out.set(run, end);
		end += run.length;
		at += run.length;
		if (code <= LONGEST_RUN && at < frame.length) out[end++] = 0;
	}
	return out.subarray(0, end);
}
