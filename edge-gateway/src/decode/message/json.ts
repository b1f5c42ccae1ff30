import { isAscii, isUtf8 } from 'node:buffer';
import { CrowdVisionError } from '@crowdvision/contracts';

/** The byte order mark in UTF-8. */
const BOM = [0xef, 0xbb, 0xbf] as const;
const NUL = 0;
/** What some web servers put before JSON against its inclusion as a script. */
const GUARD = /^\s*(?:\)\]\}'?,?|while\s*\(1\);|for\s*\(;;\);)\s*/;
/** The start of a text, or a word where JSON has none: C and Python write NaN and the infinities so. */
const QUOTE_OR_WORD = /"|[+-]?(?:nan\b(?:\((?:ind|snan)\))?|inf(?:inity)?\b)/gi;
/** The same inside an object or a list, where templates put a state without a value in the place of a number. */
const QUOTE_OR_STATE =
	/"|[+-]?(?:nan\b(?:\((?:ind|snan)\))?|inf(?:inity)?\b)|\b(?:none|null|undefined|unavailable|unknown)\b/gi;
const OBJECT_OR_LIST = /^\s*[[{]/;

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
 * Parses a payload as JSON. A byte order mark before it and NUL bytes behind it are taken off; NaN and the infinities,
 * which C and Python write, and bare words such as `unavailable`, which templates write, are read as null (RFC 8259
 * section 9 lets a parser take more than JSON).
 * @throws CrowdVisionError `not_json`
 */
export function parseJson(raw: Buffer | string): unknown {
	const text = typeof raw === 'string' ? raw : textOf(raw);
	try {
		return JSON.parse(text);
	} catch {
		return parseLeniently(typeof raw === 'string' ? raw.replace(/^\ufeff/, '') : textOf(withoutFraming(raw)));
	}
}

/** Parses text that `JSON.parse` refuses. @throws CrowdVisionError `not_json` */
function parseLeniently(text: string): unknown {
	try {
		return JSON.parse(withNull(text.replace(GUARD, '')));
	} catch {
		throw new CrowdVisionError('not_json', 'The payload is not valid JSON');
	}
}

/** JSON with null for NaN and the infinities, outside its texts. Takes time in proportion to its length. */
function withNull(json: string): string {
	let result = '';
	let done = 0;
	const words = OBJECT_OR_LIST.test(json) ? QUOTE_OR_STATE : QUOTE_OR_WORD;
	words.lastIndex = 0;
	for (let found = words.exec(json); found; found = words.exec(json)) {
		if (found[0] === '"') {
			const end = endOfText(json, found.index);
			if (end === -1) break;
			words.lastIndex = end + 1;
			continue;
		}
		result += `${json.slice(done, found.index)}null`;
		done = words.lastIndex;
	}
	return result + json.slice(done);
}

/** Where the text that begins at `start` ends; -1 if it does not. */
function endOfText(json: string, start: number): number {
	for (let at = start + 1; at < json.length; at++) {
		if (json[at] === '\\') at++;
		else if (json[at] === '"') return at;
	}
	return -1;
}
