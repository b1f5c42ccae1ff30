/** A member of a JSON object, whose value is a number or a text. */
export interface Member {
	key: string;
	/** A text; its bounds are those between its quotes. */
	isText: boolean;
	/** Where the value begins and ends. */
	start: number;
	end: number;
}

const TOKEN = /[ \t\r\n]*(?:"([^"\\]*)"|(-?[\d.eE+-]+|true|false|null)|([{}:,]))/y;
const SPACE = /^[ \t\r\n]*$/;

/**
 * The members of a JSON object in bytes, in order. Undefined for anything but an object of numbers, words and texts
 * without escapes, each under a key of its own. Valid JSON is assumed: what else passes here must not matter.
 */
export function membersOf(raw: Buffer): Member[] | undefined {
	// Positions in latin1 are positions in bytes.
	const text = raw.toString('latin1');
	const tokens = tokensOf(text);
	if (tokens?.[0]?.sign !== '{' || tokens.at(-1)?.sign !== '}') return undefined;
	const members: Member[] = [];
	for (let i = 1; i + 2 < tokens.length; i += 4) {
		const [key, colon, value, next] = tokens.slice(i, i + 4);
		if (key?.text === undefined || colon?.sign !== ':' || !value || value.sign !== undefined) return undefined;
		if (next?.sign !== ',' && !(next?.sign === '}' && i + 4 === tokens.length)) return undefined;
		if (members.some((member) => member.key === key.text)) return undefined;
		const isText = value.text !== undefined;
		members.push({ key: key.text, isText, start: value.start, end: value.end });
	}
	return members;
}

interface Token {
	text?: string;
	sign?: string;
	start: number;
	end: number;
}

function tokensOf(json: string): Token[] | undefined {
	const tokens: Token[] = [];
	let at = 0;
	for (;;) {
		TOKEN.lastIndex = at;
		const found = TOKEN.exec(json);
		if (!found) return SPACE.test(json.slice(at)) ? tokens : undefined;
		at = TOKEN.lastIndex;
		const [, text, , sign] = found;
		if (text !== undefined) tokens.push({ text, start: at - 1 - text.length, end: at - 1 });
		else if (sign !== undefined) tokens.push({ sign, start: at - 1, end: at });
		else tokens.push({ start: at - found[2]!.length, end: at });
	}
}
