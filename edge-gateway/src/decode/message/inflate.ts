/** Inflates compressed bytes up to a bound. */
import { gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import { DecodeError } from './candidate.ts';

/** As large as a body of `POST /ingest` may be. */
export const MAX_INFLATED_BYTES = 1024 * 1024;

/** Compressed bytes that are damaged, or too large. */
export class InflateError extends DecodeError {
	readonly tooLarge: boolean;

	constructor(message: string, tooLarge: boolean) {
		super({ path: '', message }, 0, 'not_decoded');
		this.tooLarge = tooLarge;
	}
}

const GZIP_MAGIC = [0x1f, 0x8b] as const;
/** The first byte of zlib's framing names its method in the low half: 8 is deflate (RFC 1950 section 2.2). */
const ZLIB_METHOD = 8;

/**
 * Inflates bytes of gzip, or of deflate with or without zlib's framing. `as: 'gzip'` demands gzip.
 * @throws InflateError if they are damaged, or larger than `MAX_INFLATED_BYTES` when inflated
 */
export function inflate(raw: Uint8Array, as?: 'gzip'): Buffer {
	const options = { maxOutputLength: MAX_INFLATED_BYTES };
	const isGzip = as === 'gzip' || (raw[0] === GZIP_MAGIC[0] && raw[1] === GZIP_MAGIC[1]);
	const isZlib = ((raw[0] ?? 0) & 0x0f) === ZLIB_METHOD && (((raw[0] ?? 0) << 8) | (raw[1] ?? 0)) % 31 === 0;
	try {
		if (isGzip) return gunzipSync(raw, options);
		return isZlib ? inflateSync(raw, options) : inflateRawSync(raw, options);
	} catch (error) {
		const { code, message } = error as NodeJS.ErrnoException;
		const tooLarge = code === 'ERR_BUFFER_TOO_LARGE';
		const larger = `is larger than ${MAX_INFLATED_BYTES} bytes when it is inflated`;
		throw new InflateError(tooLarge ? larger : `cannot be inflated: ${message}`, tooLarge);
	}
}
