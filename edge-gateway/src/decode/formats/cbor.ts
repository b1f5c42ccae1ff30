/** Reads CBOR (RFC 8949) strictly, and decodes the gateway's own format in CBOR. */
import { type DecodeOptions, decode } from 'cborg';
import { type Decoded, DecodeError } from '../message/candidate.ts';
import type { Message, NoReading } from '../message/decoder.ts';
import { BUILT_IN, type Vocabulary } from '../vendor/vocabulary.ts';
import { decodeCanonical } from './canonical.ts';

/**
 * Only exact numbers: a value that a double cannot hold must not become another one. NaN, the infinities and undefined
 * mean that nothing was measured.
 */
const STRICT: DecodeOptions = {
	allowBigInt: false,
	allowNaN: true,
	allowInfinity: true,
	allowUndefined: true,
	rejectDuplicateMapKeys: true,
};
const REPLACEMENT = '\ufffd';

/**
 * Decodes one CBOR data item (RFC 8949) with no bytes after it. Maps become objects and their keys must be texts; with
 * `maps` they become `Map` with any keys.
 * @throws DecodeError `not_decoded`
 */
export function readCbor(raw: Uint8Array, maps = false): unknown {
	try {
		const value: unknown = decode(raw, {
			...STRICT,
			useMaps: maps,
			tags: { 4: (content) => decimalFraction(content()) },
		});
		if (hasReplacement(value) && !Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).includes(REPLACEMENT))
			throw new Error('a text is not UTF-8');
		return value;
	} catch (error) {
		// Also a RangeError for items nested deeper than the stack allows.
		throw DecodeError.unreadable(`is not CBOR: ${(error as Error).message.replace(/^CBOR decode error: /, '')}`);
	}
}

/** Whether a text holds a replacement character, as the library puts one for invalid UTF-8: an id would change. */
function hasReplacement(value: unknown): boolean {
	if (typeof value === 'string') return value.includes(REPLACEMENT);
	if (typeof value !== 'object' || value === null) return false;
	return value instanceof Map
		? [...value].some(([key, one]) => hasReplacement(key) || hasReplacement(one))
		: Object.entries(value).flat().some(hasReplacement);
}

/** A decimal fraction, [exponent, mantissa] (RFC 8949 section 3.4.4). RFC 8428 section 6 allows it in SenML. */
function decimalFraction(content: unknown): number {
	const [exponent, mantissa] = Array.isArray(content) && content.length === 2 ? content : [];
	if (!Number.isInteger(exponent) || !Number.isInteger(mantissa))
		throw new Error('a decimal fraction must be two integers');
	// Parsed from text, so that 273 and -2 become 2.73 and not 2.7300000000000004.
	return Number(`${mantissa}e${exponent}`);
}

/** Decodes the gateway's own format as CBOR. @throws DecodeError */
export function decodeCbor({ raw }: Message, { metrics }: Vocabulary = BUILT_IN): Decoded[] | NoReading {
	return decodeCanonical(readCbor(raw), {}, metrics);
}
