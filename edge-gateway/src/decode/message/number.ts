/** What stands in the place of a number: a number, a text that is one, or one of the many words for "no value". */

/** A number, with the unit that its text names. */
export interface Measured {
	value: number;
	unit?: string;
}

/** Words for "no value" in lower case, as firmware, C libraries and home automation write them. */
const NO_VALUE_WORDS = new Set(
	(
		'null nil none nan -nan +nan nan(ind) -nan(ind) inf -inf +inf infinity -infinity +infinity ' +
		'1.#qnan -1.#ind 1.#inf -1.#inf undefined unavailable unknown n/a na n.a. ovf - -- --- ?'
	).split(' '),
);
/** Longer texts are no numbers. */
const MAX_LENGTH = 64;
const NUMBER_AND_UNIT = /^([+-]?(?:\d[\d.,]*|[.,]\d+)(?:e[+-]?\d{1,3})?)\s*(.*)$/i;
/** A unit begins with a letter or a sign of its own; what follows an x is hexadecimal. */
const UNIT = /^(?!x[\da-f])[\p{L}%°'"][^:]{0,31}$/iu;
const PLAIN = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
/** Groups of three digits, twice or more, or once before a decimal sign of the other kind. */
const GROUPED_BY_COMMA = /^([+-]?\d{1,3}(?:,\d{3})+)(\.\d*)?$/;
const GROUPED_BY_POINT = /^([+-]?\d{1,3}(?:\.\d{3})+)(,\d*)?$/;
const DECIMAL_COMMA = /^([+-]?\d*),(\d+)(e[+-]?\d+)?$/i;

/**
 * Whether a value says that nothing was measured: null, NaN, an infinity, or a word for one of them. An object or a
 * boolean is a value, though not a number.
 */
export function isNoValue(value: unknown): boolean {
	if (typeof value === 'string') {
		const text = value.length > MAX_LENGTH ? '' : value.trim();
		return value.length <= MAX_LENGTH && (text === '' || NO_VALUE_WORDS.has(text.toLowerCase()));
	}
	return value === null || value === undefined || (typeof value === 'number' && !Number.isFinite(value));
}

/**
 * The number that a text is: `-1.6`, `1e3`, `21,5`, `1.234,5`, `21.5 °C`. A comma is a decimal sign only where it can
 * be nothing else: `1,234` may be either, and is no number. Undefined for a text that is no number.
 */
export function numberIn(text: string): Measured | undefined {
	if (text.length > MAX_LENGTH) return undefined;
	// Full-width digits become digits; U+2212 is the minus sign of typesetting.
	const plain = text.normalize('NFKC').replaceAll('\u2212', '-').trim();
	const [, digits, unit = ''] = NUMBER_AND_UNIT.exec(plain) ?? [];
	if (digits === undefined || (unit !== '' && !UNIT.test(unit))) return undefined;
	const value = numericValue(digits);
	if (value === undefined || !Number.isFinite(value)) return undefined;
	return unit === '' ? { value } : { value, unit };
}

function numericValue(digits: string): number | undefined {
	if (PLAIN.test(digits)) return Number(digits);
	const [, decimalWhole, decimals, exponent = ''] = DECIMAL_COMMA.exec(digits) ?? [];
	if (decimals !== undefined && (decimals.length !== 3 || !/^[+-]?[1-9]\d{0,2}$/.test(decimalWhole!)))
		return Number(`${decimalWhole}.${decimals}${exponent}`);
	return grouped(GROUPED_BY_COMMA, ',', digits) ?? grouped(GROUPED_BY_POINT, '.', digits);
}

/** A number with its thousands grouped: at least two groups, or decimals behind the group. */
function grouped(pattern: RegExp, separator: string, digits: string): number | undefined {
	const [, whole, decimals] = pattern.exec(digits) ?? [];
	if (whole === undefined || (decimals === undefined && whole.split(separator).length < 3)) return undefined;
	return Number(`${whole.replaceAll(separator, '')}${(decimals ?? '').replace(',', '.')}`);
}
