/** Where the readings of a message stand: one, an array, or a line for each. */

/** `list`: a JSON array. `lines`: NDJSON. `one`: a JSON object. */
export type Layout = 'one' | 'list' | 'lines';

const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const COMMA = 0x2c;
const LINE_FEED = 0x0a;

/** How a JSON payload holds its readings; undefined for anything but an object or an array. */
export function layoutOf(raw: Buffer): 'one' | 'list' | undefined {
	const first = raw[afterSpace(raw, 0)];
	return first === OPEN_OBJECT ? 'one' : first === OPEN_LIST ? 'list' : undefined;
}

/** Where the first item of a message begins; -1 if there is none. */
export function firstItem(raw: Buffer, layout: Layout): number {
	const at = afterSpace(raw, 0);
	const item = layout === 'list' ? (raw[at] === OPEN_LIST ? afterSpace(raw, at + 1) : -1) : at;
	return item >= 0 && raw[item] === OPEN_OBJECT ? item : -1;
}

/**
 * Where the next item begins after one that ended before `end`; `raw.length` after the last one. -1 where anything else
 * stands between or behind them.
 */
export function nextItem(raw: Buffer, end: number, layout: Layout): number {
	let at = layout === 'lines' ? afterBlanks(raw, end) : afterSpace(raw, end);
	if (layout === 'one') return at === raw.length ? at : -1;
	if (layout === 'lines') {
		if (at === raw.length) return at;
		if (raw[at] !== LINE_FEED) return -1;
		at = afterSpace(raw, at);
		return at === raw.length || raw[at] === OPEN_OBJECT ? at : -1;
	}
	if (raw[at] === CLOSE_LIST) return afterSpace(raw, at + 1) === raw.length ? raw.length : -1;
	if (raw[at] !== COMMA) return -1;
	at = afterSpace(raw, at + 1);
	return raw[at] === OPEN_OBJECT ? at : -1;
}

/**
 * The items of a message, each without the space around it. Undefined unless all are objects that hold no other; of
 * valid JSON only.
 */
export function itemsOf(raw: Buffer, layout: Layout): Buffer[] | undefined {
	const items: Buffer[] = [];
	for (let at = firstItem(raw, layout); at !== raw.length; ) {
		if (at < 0) return undefined;
		const end = flatObjectEnd(raw, at);
		if (end < 0) return undefined;
		items.push(raw.subarray(at, end));
		at = nextItem(raw, end, layout);
	}
	return items;
}

/** The end of an object that holds no other object or array, and no text with an escape; or -1. */
function flatObjectEnd(raw: Buffer, start: number): number {
	let isText = false;
	for (let at = start + 1; at < raw.length; at++) {
		const byte = raw[at];
		if (byte === 0x22) isText = !isText;
		else if (byte === 0x5c) return -1;
		else if (isText) continue;
		else if (byte === OPEN_OBJECT || byte === OPEN_LIST) return -1;
		else if (byte === 0x7d) return at + 1;
	}
	return -1;
}

/** The position after the white space of JSON (RFC 8259 section 2). */
function afterSpace(raw: Buffer, start: number): number {
	let at = start;
	while (raw[at] === 0x20 || raw[at] === LINE_FEED || raw[at] === 0x0d || raw[at] === 0x09) at++;
	return at;
}

/** The position after white space within a line. */
function afterBlanks(raw: Buffer, start: number): number {
	let at = start;
	while (raw[at] === 0x20 || raw[at] === 0x0d || raw[at] === 0x09) at++;
	return at;
}
