import { type DecodeOptions, decode } from 'cborg';
import type { Decoded } from '../message/candidate.ts';
import { DecodeError } from '../message/candidate.ts';
import type { Message } from '../message/decoder.ts';
import { decodeCanonical } from './canonical.ts';

/** Exact numbers only: what a number cannot hold must not become another number. NaN and undefined say nothing. */
const STRICT: DecodeOptions = {
	allowBigInt: false,
	allowNaN: false,
	allowInfinity: false,
	allowUndefined: false,
	rejectDuplicateMapKeys: true,
};
const REPLACEMENT = '\ufffd';

/**
 * One CBOR data item (RFC 8949) with nothing behind it. Maps become objects, their keys must be texts; with `maps` they
 * become Map, with any keys.
 * @throws DecodeError `not_decoded`
 */
export function readCbor(raw: Uint8Array, maps = false): unknown {
	try {
		const value: unknown = decode(raw, {
			...STRICT,
			useMaps: maps,
			tags: { 4: (content) => decimalFraction(content()) },
		});
		if (isMended(value) && !Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).includes(REPLACEMENT))
			throw new Error('a text is not UTF-8');
		return value;
	} catch (error) {
		// Also a RangeError, where items are nested deeper than the stack.
		throw DecodeError.unreadable(`is not CBOR: ${(error as Error).message.replace(/^CBOR decode error: /, '')}`);
	}
}

/** The library reads what is not UTF-8 with replacement characters; a damaged id would become another id. */
function isMended(value: unknown): boolean {
	if (typeof value === 'string') return value.includes(REPLACEMENT);
	if (typeof value !== 'object' || value === null) return false;
	return value instanceof Map
		? [...value].some(([key, one]) => isMended(key) || isMended(one))
		: Object.entries(value).flat().some(isMended);
}

/** RFC 8949 section 3.4.4: [exponent, mantissa], which RFC 8428 section 6 allows for times and values. */
function decimalFraction(content: unknown): number {
	const [exponent, mantissa] = Array.isArray(content) && content.length === 2 ? content : [];
	if (!Number.isInteger(exponent) || !Number.isInteger(mantissa))
		throw new Error('a decimal fraction must be two whole numbers');
	// Spelled and read, so that 273 and -2 become 2.73 and not 2.7300000000000004.
	return Number(`${mantissa}e${exponent}`);
}

/** The gateway's own format with CBOR in place of JSON. @throws DecodeError */
export function decodeCbor({ raw }: Message): Decoded[] {
	return decodeCanonical(readCbor(raw), {});
}
