/** Keys that a JSON text gives twice. `JSON.parse` takes the last one and says nothing. */
import { escapeKey, type Problem } from '../validator.ts';
import { oneSpelling } from './names.ts';

const MAX_PROBLEMS = 50;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** An object or array around the place that is read. */
interface Around {
	/** Of the object so far, in one spelling, each with the line of the first; undefined in an array. */
	keys: Map<string, number> | undefined;
	/** The key, or the index, of the value that is read. */
	at: string | number;
	/** Whether the next text is a key. */
	expectsKey: boolean;
}

/**
 * The keys that objects of a JSON text hold twice, at most 50, each with its path and line. Keys that differ only in
 * composed and decomposed letters are the same. A text that is no JSON ends the search where it ceases to be JSON.
 */
export function duplicateKeys(json: string): Problem[] {
	const problems: Problem[] = [];
	const around: Around[] = [];
	let line = 1;
	for (let at = 0; at < json.length && problems.length < MAX_PROBLEMS; at++) {
		const inside = around.at(-1);
		switch (json[at]) {
			case '\n':
				line++;
				break;
			case '{':
				around.push({ keys: new Map(), at: '', expectsKey: true });
				break;
			case '[':
				around.push({ keys: undefined, at: 0, expectsKey: false });
				break;
			case '}':
			case ']':
				around.pop();
				break;
			case ',':
				if (inside?.keys) inside.expectsKey = true;
				else if (inside) inside.at = Number(inside.at) + 1;
				break;
			case '"': {
				const end = endOfText(json, at);
				if (end < 0) return problems;
				if (inside?.keys && inside.expectsKey) {
					const key = textOf(json.slice(at, end + 1));
					if (key === undefined) return problems;
					inside.expectsKey = false;
					inside.at = key;
					const first = inside.keys.get(oneSpelling(key));
					if (first === undefined) inside.keys.set(oneSpelling(key), line);
					else problems.push({ path: pathOf(around), message: givenTwice(first, line) });
				}
				at = end;
				break;
			}
		}
	}
	return problems;
}

const givenTwice = (first: number, again: number) =>
	first === again ? `is given twice in line ${again}` : `is given twice: in line ${first} and in line ${again}`;

const pathOf = (around: readonly Around[]) => around.map(({ at }) => `/${escapeKey(String(at))}`).join('');

/** Where a text that begins at `start` ends; -1 if it does not. */
function endOfText(json: string, start: number): number {
	for (let at = start + 1; at < json.length; at++) {
		const character = json.charCodeAt(at);
		if (character === QUOTE) return at;
		if (character === BACKSLASH) at++;
	}
	return -1;
}

/** The value of a JSON text; undefined if it is none. */
function textOf(json: string): string | undefined {
	if (!json.includes('\\')) return json.slice(1, -1);
	try {
		return JSON.parse(json) as string;
	} catch {
		return undefined;
	}
}
