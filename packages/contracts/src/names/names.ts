/** What a name or an id may look like, in every document that people upload. */
import Type from 'typebox';

/**
 * Characters that show nothing and are no control characters (blanks, fillers, marks that join or turn text), as the
 * inside of a class of a regular expression.
 */
const INVISIBLE =
	' \\u00a0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u1680\\u17b4\\u17b5\\u180b-\\u180f\\u2000-\\u200f\\u2028-\\u202f' +
	'\\u205f-\\u206f\\u2800\\u3000\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0';
const CONTROL = '\\u0000-\\u001f\\u007f-\\u009f';

/**
 * A name that people can see: one visible character at least, and no control characters. No two of its parts can take
 * the same character, so a long text costs no more than its length.
 */
export const NAME = `^[${INVISIBLE}]*[^${INVISIBLE}${CONTROL}][^${CONTROL}]*$`;

/** Schema of a name that people read. */
export const Name = (maxLength = 200, what = 'a name') =>
	Type.String({
		minLength: 1,
		maxLength,
		pattern: NAME,
		description: `${what} of 1 to ${maxLength} characters, of which people can see one, without control characters`,
	});

const SHOWS_NOTHING = new RegExp(`^[${INVISIBLE}${CONTROL}]*$`);
const AT_AN_END = /^\s|\s$/;
/** Marks that nobody sees between the letters: what they stand in looks like another id. */
const HIDDEN = /\u034f|[\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0]/u;

/** One spelling of a text: composed and decomposed letters (é, e and an accent) are the same. */
export const oneSpelling = (text: string): string => text.normalize('NFC');

/**
 * Why people cannot read an id: it is blank, begins or ends with a blank, or holds marks that nobody sees. Undefined
 * for one that they can.
 */
export function unseenProblem(id: string): string | undefined {
	if (SHOWS_NOTHING.test(id)) return 'must not be blank';
	if (AT_AN_END.test(id)) return 'must not begin or end with a blank';
	const [hidden] = HIDDEN.exec(id) ?? [];
	return hidden === undefined ? undefined : `must not hold the invisible character ${codePoint(hidden)}`;
}

/**
 * Why a text is no id that people can tell from others: they cannot read it, or it is written with decomposed letters.
 * Undefined for one that may be used. For a new id; what an earlier version took stays, and may be referred to.
 */
export function idProblem(id: string): string | undefined {
	const unseen = unseenProblem(id);
	if (unseen !== undefined) return unseen;
	const composed = oneSpelling(id);
	if (composed !== id)
		return `must be written with composed letters (Unicode NFC): ${JSON.stringify(composed)}, ${composed.length} long`;
	return undefined;
}

const codePoint = (character: string) => `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
