/** Recognizes what logging frameworks write before and after a message on a serial line. */

/** An escape sequence of a terminal, such as a colour: ECMA-48 section 5.4, and the choice of a character set. */
const ESCAPE = String.raw`\x1b(?:\[[0-?]*[ -/]*[@-~]|[()][0-9A-Z])`;
const ESCAPES = new RegExp(ESCAPE, 'g');
/** Escape sequences and blanks at the end of a line. */
const TRAILING = new RegExp(`(?:${ESCAPE}|\\s)+$`);
/** A longer beginning is no prefix. */
const LONGEST_PREFIX = 200;

const LEVEL =
	'emerg(?:ency)?|alert|crit(?:ical)?|fatal|error|err|warning|warn|wrn|notice|info|inf|debug|dbg|trace|' +
	'trc|verbose|log|[EWIDVTNFC]';
const TIME = String.raw`(?:\d{4}-\d\d-\d\d[T ])?\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9}(?:,\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?`;
/** The parts of a prefix, in the order in which they are tried. */
const PARTS = {
	blank: String.raw`\s+`,
	/** Zephyr `[00:00:01.234,567]`, Arduino `[I][main.cpp:42]`, Mbed `[INFO][app ]`, Linux `[    1.234567]`. */
	bracketed: String.raw`\[[\w .,:/@+()-]{1,64}\]`,
	/** ESP-IDF `(1234)`, `(12:34:56.789)`. */
	counted: String.raw`\([\d:. ]{1,24}\)`,
	/** Zephyr `<inf>`, syslog `<13>`. */
	angled: String.raw`<\w{1,8}>`,
	time: String.raw`${TIME}(?![\w.])`,
	level: `(?:${LEVEL})(?![\\w.])`,
	/** A tag or a function: `app: `, `loop(): `, `main.cpp:42: `, `SENSOR = `. */
	tag: String.raw`[\w./@-]{1,48}(?:\(\))?(?::\d{1,6})?(?=\s*(?:[:=|>]|->|- ))`,
	mark: '[:=|>#$~*-]+',
};
type PartName = keyof typeof PARTS;
const NAMES = Object.keys(PARTS) as PartName[];
/** Sticky, so that each part begins where the one before it ends, and no text is tried twice. */
const PART = new RegExp(NAMES.map((name) => `(?<${name}>${PARTS[name]})`).join('|'), 'iy');
/** Framework names of levels are the ones of the list; a lone letter counts in upper case only. */
const LOWER_LETTER = /^[a-z]$/;

/** The parts of a text that begins as a log line does, and where they end. */
function partsOf(text: string): { names: Set<PartName>; end: number } {
	const names = new Set<PartName>();
	PART.lastIndex = 0;
	let end = 0;
	while (end < text.length && end < LONGEST_PREFIX) {
		const groups = PART.exec(text)?.groups;
		const name = groups && NAMES.find((one) => groups[one] !== undefined);
		if (!name || (name === 'level' && LOWER_LETTER.test(groups.level!))) break;
		names.add(name);
		end = PART.lastIndex;
	}
	return { names, end };
}

/**
 * Whether the text before a document is what a logging framework writes there: level, time, tag, in the spellings of
 * ESP-IDF, Arduino, Zephyr, Mbed, Tasmota, syslog and their like, coloured or not. `text` has one character a byte.
 */
export function isLogPrefix(text: string): boolean {
	const bare = text.replace(ESCAPES, '');
	return bare.length <= LONGEST_PREFIX && partsOf(bare).end === bare.length;
}

/** Where a line ends but for escape sequences and blanks. */
export function endOfText(text: string): number {
	return text.length - (TRAILING.exec(text)?.[0].length ?? 0);
}

/**
 * Whether a whole line is one of a device's own log: it begins with a level together with a time or a tag, and is
 * printable. Such lines come from any device whose console shares the port with its readings.
 */
export function isLogLine(text: string): boolean {
	const bare = text.replace(ESCAPES, '');
	if (/[^\t\x20-\x7e\x80-\xff]/.test(bare) || /[{}"]/.test(bare)) return false;
	const { names } = partsOf(bare);
	const leveled = names.has('level') || names.has('angled') || /^\[[^\]]*\]\s*\[[^\]]*\]/.test(bare);
	return leveled && (names.has('time') || names.has('counted') || names.has('bracketed') || names.has('tag'));
}
