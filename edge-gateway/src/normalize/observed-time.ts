/** The time at which a reading was taken. */
import type { Problem, TimeQuality } from '@crowdvision/contracts';

const YEAR_2000 = Date.UTC(2000, 0, 1);
const DAY = 24 * 3600_000;
const ISO_8601 = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?$/;

export interface ObservedTime {
	/** Epoch ms. */
	observedAt: number;
	timeQuality: TimeQuality;
	/** The time that the device stated, where it is impossible or could not be checked. */
	deviceTime?: string | number;
}

/**
 * When a reading was taken. Without a stated time it is the time of receipt, with that time's quality. A stated time
 * before 2000 or more than a day ahead is impossible, and is replaced by the time of receipt. While the time of receipt
 * is `unsynced`, a stated time cannot be checked against it; it is then kept as `deviceTime`. A text that is no time is
 * a mistake.
 * @param stated by the device: ISO 8601 or epoch ms
 * @param quality of the time of receipt
 */
export function observedTime(
	stated: string | number | undefined,
	receivedAt: number,
	quality: TimeQuality = 'synced',
): ObservedTime | Problem {
	if (stated === undefined) return { observedAt: receivedAt, timeQuality: quality };
	let at: number;
	if (typeof stated === 'number') at = stated;
	else {
		at = ISO_8601.test(stated) && dayExists(stated) ? Date.parse(withZone(stated.replace(',', '.'))) : Number.NaN;
		if (Number.isNaN(at))
			return { path: '/observedAt', message: 'must be ISO 8601, such as 2026-11-22T10:00:00Z, or epoch milliseconds' };
	}
	if (quality === 'unsynced' || at < YEAR_2000 || at > receivedAt + DAY)
		return { observedAt: receivedAt, timeQuality: 'unsynced', deviceTime: stated };
	return { observedAt: Math.round(at), timeQuality: 'synced' };
}

/** Whether the month has this day: Date.parse reads 30 February as 2 March. */
function dayExists(text: string): boolean {
	const day = Number(text.slice(8, 10));
	return (
		day <= 28 || new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)) - 1, day)).getUTCDate() === day
	);
}

/** A time without a zone is UTC, whatever the time zone of the gateway. */
function withZone(text: string): string {
	const iso = text.replace(' ', 'T');
	if (iso.length <= 10) return iso;
	return /(?:Z|[+-]\d\d(?::?\d\d)?)$/.test(iso.slice(10)) ? iso.replace(/([+-]\d\d)$/, '$1:00') : `${iso}Z`;
}
