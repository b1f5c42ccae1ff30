import type { Problem, TimeQuality } from '@crowdvision/contracts';

const YEAR_2000 = Date.UTC(2000, 0, 1);
const DAY = 24 * 3600_000;
const ISO_8601 = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?$/;

export interface ObservedTime {
	/** Epoch ms. */
	observedAt: number;
	timeQuality: TimeQuality;
	/** What the device said, where it cannot be true or could not be judged. */
	deviceTime?: string | number;
}

/**
 * When a reading was taken. Without a time of its own it is the time of receipt, which is as good as `quality` says; a
 * time before 2000 or more than a day ahead cannot be true and is replaced by it. While the time of receipt is
 * `unsynced` a device's time cannot be judged by it, and is kept as
 * `deviceTime`. A text that is no time at all is a mistake.
 */
export function observedTime(
	told: string | number | undefined,
	receivedAt: number,
	quality: TimeQuality = 'synced',
): ObservedTime | Problem {
	if (told === undefined) return { observedAt: receivedAt, timeQuality: quality };
	let at: number;
	if (typeof told === 'number') at = told;
	else {
		at = ISO_8601.test(told) && hasSuchADay(told) ? Date.parse(withZone(told.replace(',', '.'))) : Number.NaN;
		if (Number.isNaN(at))
			return { path: '/observedAt', message: 'must be ISO 8601, such as 2026-11-22T10:00:00Z, or epoch milliseconds' };
	}
	if (quality === 'unsynced' || at < YEAR_2000 || at > receivedAt + DAY)
		return { observedAt: receivedAt, timeQuality: 'unsynced', deviceTime: told };
	return { observedAt: Math.round(at), timeQuality: 'synced' };
}

/** Date.parse makes 2 March of 30 February. */
function hasSuchADay(text: string): boolean {
	const day = Number(text.slice(8, 10));
	return (
		day <= 28 || new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)) - 1, day)).getUTCDate() === day
	);
}

/** A time without a zone is UTC, wherever the gateway stands. */
function withZone(text: string): string {
	const spelled = text.replace(' ', 'T');
	if (spelled.length <= 10) return spelled;
	return /(?:Z|[+-]\d\d(?::?\d\d)?)$/.test(spelled.slice(10)) ? spelled.replace(/([+-]\d\d)$/, '$1:00') : `${spelled}Z`;
}
