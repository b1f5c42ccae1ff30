import { isTimeZone } from './local-time.ts';

/**
 * The years that a time can be of: what a number means as milliseconds, seconds, micro- or nanoseconds lies decades
 * apart.
 */
const EARLIEST = Date.UTC(2000, 0, 1);
const LATEST = Date.UTC(2100, 0, 1);
/** What epoch units have to be multiplied by for milliseconds: ms, s, µs, ns. */
const EPOCH_UNITS = [1, 1000, 1e-3, 1e-6];

const EPOCH_TEXT = /^\d{9,19}(?:\.\d{1,9})?$/;
/**
 * ISO 8601 in the profile of RFC 3339 section 5.6, and what devices write beside it: a comma, no seconds, no time, no
 * zone, an offset without a colon or minutes. A bracketed zone at the end is that of RFC 9557.
 */
const TIMESTAMP = new RegExp(
	[
		/^(\d{4})-(\d\d)-(\d\d)/,
		/(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?([Zz]|[+-]\d\d(?::?\d\d)?)?)?/,
		/(?:\[([\w+/-]{1,64})\])?$/,
	]
		.map(({ source }) => source)
		.join(''),
);
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** A time as it was written. */
export interface Timestamp {
	/** Epoch ms; of a time on the wall: as if that were UTC. */
	at: number;
	/** Written without an offset: what the clocks on the wall show. */
	isLocal: boolean;
	/** IANA name of the zone, where the text ends in one. */
	zone: string | undefined;
}

/**
 * A number since 1970 in epoch ms, whether it counts seconds, milliseconds, micro- or nanoseconds: only one of them
 * makes a year from 2000 to 2100. Undefined where none does.
 */
export function epochMs(number: number): number | undefined {
	for (const factor of EPOCH_UNITS) {
		const at = number * factor;
		if (at >= EARLIEST && at < LATEST) return at;
	}
	return undefined;
}

/**
 * Reads a time that was written as text: every spelling of RFC 3339 sections 5.6 and 5.7, the leap second included, and
 * the digits of an epoch. Undefined for a text that is no time, such as 30 February.
 */
export function readTimestamp(text: string): Timestamp | undefined {
	if (EPOCH_TEXT.test(text)) {
		const at = epochMs(Number(text));
		return at === undefined ? undefined : { at, isLocal: false, zone: undefined };
	}
	const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', offset, zone] =
		TIMESTAMP.exec(text) ?? [];
	if (year === undefined || (zone !== undefined && !isTimeZone(zone))) return undefined;
	const isLeap = second === '60';
	const ms = fraction === '' ? 0 : Math.floor(Number(`0.${fraction}`) * 1000);
	const date = new Date(0);
	date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
	// Date makes 2 March of 30 February.
	if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return undefined;
	if (!isTimeOfDay(Number(hour), Number(minute), isLeap ? 59 : Number(second), ms)) return undefined;
	const difference = offset === undefined ? 0 : offsetMs(offset);
	if (difference === undefined) return undefined;
	date.setUTCHours(Number(hour), Number(minute), isLeap ? 59 : Number(second), ms);
	const at = date.getTime() - difference;
	if (isLeap && !endsAMonth(at)) return undefined;
	// A date alone is of the whole day, in whatever zone.
	const isLocal = offset === undefined && text.length > 10;
	// The leap second shares its number with the second that follows it, as in POSIX.
	return { at: isLeap ? at + 1000 : at, isLocal, zone };
}

/** Midnight at the end of a day may be written 24:00. */
function isTimeOfDay(hour: number, minute: number, second: number, ms: number): boolean {
	if (hour === 24) return minute === 0 && second === 0 && ms === 0;
	return hour < 24 && minute < 60 && second < 60;
}

/** The offset that `+05:30`, `+0530`, `+05`, `Z` or `-00:00` stands for, in ms; undefined for one that is none. */
function offsetMs(text: string): number | undefined {
	if (text === 'Z' || text === 'z') return 0;
	const hours = Number(text.slice(1, 3));
	const minutes = Number(text.slice(3).replace(':', ''));
	if (hours > 23 || minutes > 59) return undefined;
	return (text[0] === '-' ? -1 : 1) * (hours * 60 + minutes) * MINUTE_MS;
}

/** Leap seconds follow 23:59:59 UTC on the last day of a month, wherever the clock stands that shows one. */
function endsAMonth(at: number): boolean {
	const next = Math.floor(at / 1000) * 1000 + 1000;
	return next % DAY_MS === 0 && new Date(next).getUTCDate() === 1;
}
