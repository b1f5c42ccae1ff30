/** What stays the same from one message of a device to the next, and the numbers in between. */
import { type Member, membersOf } from './members.ts';
import { ownCopy } from './own-copy.ts';

const VALUE = 0;
const TIME = 1;
const SEQ = 2;
/** A time such as `2026-11-30T22:00:00.5Z`, between its quotes. */
const TIME_TEXT = 3;
type Kind = typeof VALUE | typeof TIME | typeof SEQ | typeof TIME_TEXT;

const BARE_NUMBER = /^([ \t\r\n]*)(-?[\d.]+)[ \t\r\n]*$/;
const ZERO = 0x30;
const MINUS = 0x2d;
const POINT = 0x2e;
/** Up to so many digits, a decimal number and the nearest double stand for each other. */
const MAX_DIGITS = 15;
const POWERS = Array.from({ length: MAX_DIGITS + 1 }, (_, power) => 10 ** power);
/** JavaScript writes smaller numbers with an exponent. */
const SMALLEST_FRACTION = 1e-6;
/** Times in s or ms since 1970 that have thirteen digits in ms, up to the last that `epochMs` takes for one. */
const EARLIEST = 1e12;
const LATEST = Date.UTC(2100, 0, 1);

/**
 * The bytes of a reading in full without the digits of its value, its time and its sequence number. `matches` compares
 * a message with them and reads the numbers on the way; they are valid until the next call.
 */
export class PayloadShape {
	readonly hasSeq: boolean;
	readonly hasTime: boolean;
	/** The time is a text and not a number. */
	readonly hasTimeText: boolean;
	value = 0;
	/** Where the value stands as JavaScript writes it: without zeros at the end of its decimals. */
	valueStart = 0;
	valueEnd = 0;
	/** Epoch ms. */
	observedAt = 0;
	/** The time as the message states it, in s or ms, where it is a number. */
	stated = 0;
	timeStart = 0;
	timeEnd = 0;
	seq = 0;
	seqStart = 0;
	seqEnd = 0;
	/** Bytes that it compares messages with. */
	readonly bytes: number;
	readonly #literals: readonly Buffer[];
	readonly #kinds: readonly Kind[];
	/** Of the number that `#readNumber` has read: its value, where its digits end, and where it ends. */
	#number = 0;
	#digitsEnd = 0;
	#numberEnd = 0;
	#isWhole = false;
	/** The last date, as the number YYYYMMDD, and its beginning in epoch ms. */
	#date = 0;
	#dateMs = 0;

	private constructor(literals: readonly Buffer[], kinds: readonly Kind[]) {
		this.#literals = literals;
		this.#kinds = kinds;
		this.bytes = literals.reduce((sum, { length }) => sum + length, 0);
		this.hasSeq = kinds.includes(SEQ);
		this.hasTimeText = kinds.includes(TIME_TEXT);
		this.hasTime = this.hasTimeText || kinds.includes(TIME);
	}

	/**
	 * The shape of a message with one reading of this metric: in full, in the short form or as a bare number. Undefined
	 * for one that has none, such as one with a nested value. It keeps a copy of the message.
	 */
	static of(message: Buffer, metric: string): PayloadShape | undefined {
		const members = membersOf(message) ?? bareNumber(message);
		const raw = ownCopy(message);
		const keys = keysOf(members, metric);
		const literals: Buffer[] = [];
		const kinds: Kind[] = [];
		let from = 0;
		for (const { key, isText, start, end } of members) {
			const kind = kindOf(key, isText, keys);
			if (kind === undefined) continue;
			literals.push(raw.subarray(from, start));
			kinds.push(kind);
			from = end;
		}
		literals.push(raw.subarray(from));
		const shape = new PayloadShape(literals, kinds);
		return kinds.includes(VALUE) && shape.matches(raw) ? shape : undefined;
	}

	/** Whether a message differs from the first one only in its numbers, and these are plain. */
	matches(raw: Buffer): boolean {
		return this.matchAt(raw, 0) === raw.length;
	}

	/** As `matches`, for a part of a message that begins at `start`. Returns where it ends, or -1. */
	matchAt(raw: Buffer, start: number): number {
		const literals = this.#literals;
		const kinds = this.#kinds;
		let at = start;
		for (let i = 0; i < kinds.length; i++) {
			at = after(literals[i]!, raw, at);
			if (at < 0) return -1;
			at = this.#readField(kinds[i]!, raw, at);
			if (at < 0) return -1;
		}
		return after(literals[kinds.length]!, raw, at);
	}

	/** Reads one field. Returns where it ends, or -1. */
	#readField(kind: Kind, raw: Buffer, at: number): number {
		if (kind === TIME_TEXT) return this.#readTime(raw, at);
		if (!this.#readNumber(raw, at)) return -1;
		const number = this.#number;
		const end = this.#numberEnd;
		if (kind === VALUE) {
			this.value = number;
			this.valueStart = at;
			this.valueEnd = this.#digitsEnd;
			return end;
		}
		if (!this.#isWhole || number < 0) return -1;
		if (kind === SEQ) {
			this.seq = number;
			this.seqStart = at;
			this.seqEnd = end;
			return end;
		}
		this.stated = number;
		this.observedAt = number >= EARLIEST ? number : number * 1000;
		return this.observedAt >= EARLIEST && this.observedAt < LATEST ? end : -1;
	}

	/** Reads a number in JSON that is written without an exponent and has few digits. */
	#readNumber(raw: Buffer, start: number): boolean {
		let at = start;
		const isNegative = raw[at] === MINUS;
		if (isNegative) at++;
		const first = at;
		let mantissa = 0;
		let digit = digitAt(raw, at);
		while (digit >= 0 && at - first < MAX_DIGITS) {
			mantissa = mantissa * 10 + digit;
			digit = digitAt(raw, ++at);
		}
		const whole = at - first;
		// No digit, too many, or a zero before others.
		if (whole === 0 || digit >= 0 || (whole > 1 && raw[first] === ZERO)) return false;
		let digitsEnd = at;
		let decimals = 0;
		if (raw[at] === POINT) {
			digit = digitAt(raw, ++at);
			while (digit >= 0 && whole + decimals < MAX_DIGITS) {
				mantissa = mantissa * 10 + digit;
				decimals++;
				if (digit > 0) digitsEnd = at + 1;
				digit = digitAt(raw, ++at);
			}
			if (decimals === 0 || digit >= 0) return false;
		}
		const number = mantissa / POWERS[decimals]!;
		// Minus zero is a number of its own.
		if (mantissa === 0 ? isNegative : decimals > 0 && number < SMALLEST_FRACTION) return false;
		this.#number = isNegative ? -number : number;
		this.#digitsEnd = digitsEnd;
		this.#numberEnd = at;
		this.#isWhole = decimals === 0;
		return true;
	}

	/** Reads a time in UTC. Returns where it ends, or -1 for any other way of writing one. */
	#readTime(raw: Buffer, at: number): number {
		const date = numberAt(raw, at, 4) * 10_000 + numberAt(raw, at + 5, 2) * 100 + numberAt(raw, at + 8, 2);
		const hour = numberAt(raw, at + 11, 2);
		const minute = numberAt(raw, at + 14, 2);
		const second = numberAt(raw, at + 17, 2);
		// A part that is no number makes the sum NaN.
		if (!(date + hour + minute + second > 0) || hour > 23 || minute > 59 || second > 59) return -1;
		if (raw[at + 4] !== MINUS || raw[at + 7] !== MINUS || raw[at + 10] !== 0x54) return -1;
		if (raw[at + 13] !== 0x3a || raw[at + 16] !== 0x3a || !this.#readDate(date)) return -1;
		let end = at + 19;
		let fraction = 0;
		if (raw[end] === POINT) {
			const first = ++end;
			for (let digit = digitAt(raw, end); digit >= 0 && end - first <= 9; digit = digitAt(raw, ++end))
				fraction = fraction * 10 + digit;
			if (end === first || end - first > 9) return -1;
			fraction = Math.floor((fraction / POWERS[end - first]!) * 1000);
		}
		if (raw[end] !== 0x5a) return -1;
		this.timeStart = at;
		this.timeEnd = end + 1;
		this.observedAt = this.#dateMs + ((hour * 60 + minute) * 60 + second) * 1000 + fraction;
		return this.observedAt >= EARLIEST && this.observedAt < LATEST ? end + 1 : -1;
	}

	/** Finds the beginning of a date such as 20261130. False for one that does not exist. */
	#readDate(date: number): boolean {
		if (date === this.#date) return true;
		const [year, month, day] = [Math.floor(date / 10_000), Math.floor(date / 100) % 100, date % 100];
		const begin = new Date(Date.UTC(year, month - 1, day));
		if (begin.getUTCMonth() !== month - 1 || begin.getUTCDate() !== day || year < 2001) return false;
		this.#date = date;
		this.#dateMs = begin.getTime();
		return true;
	}
}

/** Under which keys value and time stand. */
interface Keys {
	value: string;
	time: string;
}

/** In the short form the value stands under its metric, and the time may be called `timestamp`. */
function keysOf(members: readonly Member[], metric: string): Keys {
	const has = (name: string) => members.some(({ key }) => key === name);
	const isInFull = has('metric') || has('value');
	return {
		value: isInFull ? 'value' : metric,
		time: isInFull || has('observedAt') ? 'observedAt' : 'timestamp',
	};
}

function kindOf(key: string, isText: boolean, { value, time }: Keys): Kind | undefined {
	if (key === time) return isText ? TIME_TEXT : TIME;
	if (isText) return undefined;
	if (key === value) return VALUE;
	return key === 'seq' ? SEQ : undefined;
}

/** A message that is nothing but a number, as a value. */
function bareNumber(raw: Buffer): Member[] {
	const [, before, digits] = BARE_NUMBER.exec(raw.toString('latin1')) ?? [];
	if (before === undefined || digits === undefined) return [];
	return [{ key: 'value', isText: false, start: before.length, end: before.length + digits.length }];
}

/** The position after `literal`, which must be in `raw` at `at`; or -1. */
function after(literal: Buffer, raw: Buffer, at: number): number {
	const { length } = literal;
	if (at + length > raw.length) return -1;
	for (let i = 0; i < length; i++) if (literal[i] !== raw[at + i]) return -1;
	return at + length;
}

/** The digit at a position; negative for another byte, or none. */
function digitAt(raw: Buffer, at: number): number {
	const byte = raw[at];
	return byte !== undefined && byte >= ZERO && byte <= ZERO + 9 ? byte - ZERO : -1;
}

/** The number that `count` digits make; NaN if one of them is none. */
function numberAt(raw: Buffer, at: number, count: number): number {
	let number = 0;
	for (let i = at; i < at + count; i++) {
		const digit = digitAt(raw, i);
		if (digit < 0) return Number.NaN;
		number = number * 10 + digit;
	}
	return number;
}
