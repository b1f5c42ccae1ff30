import { isAscii, isUtf8 } from 'node:buffer';
import { CrowdVisionError } from '@crowdvision/contracts';

/** The byte order mark in UTF-8. */
const BOM = [0xef, 0xbb, 0xbf] as const;
const NUL = 0;
/** What some web servers put before JSON against its inclusion as a script. */
const GUARD = /^\s*(?:\)\]\}'?,?|while\s*\(1\);|for\s*\(;;\);)\s*/;
/** A text, or a word in a place where JSON has none, such as NaN: C and Python write it. */
const TEXT_OR_WORD = /"(?:[^"\\]|\\.)*"|[+-]?(?:nan\b(?:\((?:ind|snan)\))?|inf(?:inity)?\b)/gi;

/**
 * A payload as text. Rejects invalid UTF-8: with replacement characters a damaged id would become another id.
 * @throws CrowdVisionError `not_json`
 */
export function textOf(raw: Buffer): string {
	// Nearly every payload is ASCII, which is a third faster to convert as latin1.
	if (isAscii(raw)) return raw.toString('latin1');
	if (!isUtf8(raw)) throw new CrowdVisionError('not_json', 'The payload is not UTF-8');
	return raw.toString('utf8');
}

/** The payload without a byte order mark before it and without NUL bytes behind it. */
export function withoutFraming(raw: Buffer): Buffer {
	const start = BOM.every((byte, at) => raw[at] === byte) ? BOM.length : 0;
	let end = raw.length;
	while (end > start && raw[end - 1] === NUL) end--;
	return start === 0 && end === raw.length ? raw : raw.subarray(start, end);
}

/**
 * Parses a payload as JSON. A byte order mark before it and NUL bytes behind it are taken off, and NaN and the
 * infinities, which C and Python write, are read as null (RFC 8259 section 9 lets a parser take more than JSON).
 * @throws CrowdVisionError `not_json`
 */
export function parseJson(raw: Buffer): unknown {
	const text = textOf(raw);
	try {
		return JSON.parse(text);
	} catch {
		return parseLeniently(textOf(withoutFraming(raw)));
	}
}

/** Parses text that `JSON.parse` refuses. @throws CrowdVisionError `not_json` */
function parseLeniently(text: string): unknown {
	const json = text.replace(GUARD, '').replace(TEXT_OR_WORD, (found) => (found.startsWith('"') ? found : 'null'));
	try {
		return JSON.parse(json);
	} catch {
		throw new CrowdVisionError('not_json', 'The payload is not valid JSON');
	}
}
