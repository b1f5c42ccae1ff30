/** Finds tokens, passwords and other secrets in payloads, so that no list, file or log shows them. */

/** Where a secret stands in a text; `bare`: as a JSON value without quotes. */
interface Secret {
	start: number;
	end: number;
	kind: 'token' | 'secret' | 'bare';
}

/**
 * Words in the names of fields that hold secrets. Whole names are not listed: `mqttPassword`, `x-api-key`,
 * `user_token`.
 */
const NAMES = new RegExp(
	[
		String.raw`token|passw|passphrase|\bpwd\b|secret|authorization|credential|cookie`,
		String.raw`(?:api|app|access|private)[_-]?key|[kp]_?s_?key\b|[?&](?:key|sig|signature)(?==)`,
	].join('|'),
	'gi',
);
/**
 * The rest of a name, and what separates it from its value: in JSON, also inside a JSON text, forms, headers and XML.
 */
const SEPARATOR = /[\w-]{0,32}(\\*["'])?\s*(?:=>|[:=>])\s*/y;
const QUOTE = /\\*["']/y;
const BARE_NUMBER = /-?\d[\d.eE+-]*(?=\s*[,}\]])/y;
const BARE_TEXT = /(?:(?:Bearer|Basic|Digest|Token)\s+)?[^\s&;,"'<>{}[\]\\]+/y;
const LITERAL = /^(?:true|false|null)$/;

/**
 * Secrets by their own form: JSON Web Tokens, bearer and basic credentials, passwords in URLs, keys of The Things
 * Stack, GitHub, Slack, AWS and OpenAI.
 */
const FORMS = [
	/(?<![\w-])eyJ[\w-]{8,4096}\.[\w-]{8,8192}\.?[\w-]*/g,
	/(?<=\b(?:Bearer|Basic)\s)(?=\S*[\d=])[\w.~+/-]{8,}={0,2}/gi,
	/(?<=:\/\/[^\s:@/"]{1,128}:)[^\s@/"]{1,512}(?=@)/g,
	/\b(?:NNSXS\.[\w-]+\.[\w-]+|gh[oprsu]_\w{20,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|sk-[\w-]{20,})/g,
] as const;

/** The secrets in a text, in order, without overlaps. */
function secretsIn(text: string): Secret[] {
	const found: Secret[] = [];
	for (const form of FORMS)
		for (const { index, 0: secret } of text.matchAll(form))
			found.push({ start: index, end: index + secret.length, kind: 'token' });
	NAMES.lastIndex = 0;
	while (NAMES.test(text)) {
		const value = valueAfter(text, NAMES.lastIndex);
		if (!value) continue;
		found.push(value);
		// On from the end of the value, so that no text is read twice.
		NAMES.lastIndex = value.end;
	}
	found.sort((a, b) => a.start - b.start || b.end - a.end);
	let end = 0;
	return found.filter((secret) => {
		if (secret.start < end) return false;
		end = secret.end;
		return true;
	});
}

/** The value of the field whose name goes on at `at`; undefined if no value follows. */
function valueAfter(text: string, at: number): Secret | undefined {
	SEPARATOR.lastIndex = at;
	const separator = SEPARATOR.exec(text);
	if (!separator) return undefined;
	let start = SEPARATOR.lastIndex;
	QUOTE.lastIndex = start;
	const quote = QUOTE.exec(text)?.[0];
	if (quote !== undefined) {
		start += quote.length;
		const end = closing(text, start, quote);
		return end > start ? { start, end, kind: 'secret' } : undefined;
	}
	const isQuotedName = separator[1] !== undefined;
	const bare = isQuotedName ? BARE_NUMBER : BARE_TEXT;
	bare.lastIndex = start;
	const value = bare.exec(text)?.[0];
	if (value === undefined || LITERAL.test(value)) return undefined;
	return { start, end: start + value.length, kind: isQuotedName ? 'bare' : 'secret' };
}

/** Where the text ends that begins at `start` behind `quote`; the end of the text, if it is torn. */
function closing(text: string, start: number, quote: string): number {
	for (let at = text.indexOf(quote, start); at !== -1; at = text.indexOf(quote, at + 1)) {
		// A quote with more backslashes before it is part of the value.
		if (quote.startsWith('\\') || !isEscaped(text, at)) return at;
	}
	return text.length;
}

function isEscaped(text: string, at: number): boolean {
	let backslashes = 0;
	while (text[at - 1 - backslashes] === '\\') backslashes++;
	return backslashes % 2 === 1;
}

function replaced(text: string, by: (secret: Secret) => string): string {
	const parts: string[] = [];
	let at = 0;
	for (const secret of secretsIn(text)) {
		parts.push(text.slice(at, secret.start), by(secret));
		at = secret.end;
	}
	return at === 0 ? text : parts.join('') + text.slice(at);
}

/** A text for people, in which `(token)` and `(secret)` stand for what must not be shown. */
export function withoutSecrets(text: string): string {
	return replaced(text, ({ kind }) => (kind === 'token' ? '(token)' : '(secret)'));
}

/**
 * The bytes with each secret overwritten by as many asterisks, so that lengths inside stay true and a document stays
 * one: whatever reads the message reads it as before, but for the secret. The same buffer if it holds none.
 */
export function maskSecrets(bytes: Buffer): Buffer {
	const text = bytes.toString('latin1');
	const masked = replaced(text, ({ start, end, kind }) => {
		const length = end - start;
		if (kind !== 'bare') return '*'.repeat(length);
		return length < 2 ? '0' : `"${'*'.repeat(length - 2)}"`;
	});
	return masked === text ? bytes : Buffer.from(masked, 'latin1');
}
