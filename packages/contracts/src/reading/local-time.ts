const DAY_MS = 24 * 3600_000;
const formatters = new Map<string, Intl.DateTimeFormat>();

/**
 * The last moment at or before `now` when the clocks of an IANA zone showed `time` ("04:00"), in epoch ms. It exists
 * once a day: if the clocks show the time twice it is the first, and if they skip it, it is calculated with the offset
 * before the change.
 */
export function lastAtLocalTime(zone: string, time: string, now: number): number {
	const [hour = 0, minute = 0] = time.split(':').map(Number);
	const midnight = Math.floor((now + offsetAt(zone, now)) / DAY_MS) * DAY_MS;
	for (let day = 1; ; day--) {
		const at = atWallTime(zone, midnight + day * DAY_MS + (hour * 60 + minute) * 60_000);
		if (at <= now) return at;
	}
}

/** The first moment when the clocks show a local time, which is given as if it were UTC. */
function atWallTime(zone: string, wall: number): number {
	return timesAtWall(zone, wall)[0]!;
}

/**
 * The moments at which the clocks of a zone show a time, the earlier first: two where they show it twice, one as if
 * they had not been put forward yet where they skip it.
 * @param wall what they show, as epoch ms as if that were UTC
 */
export function timesAtWall(zone: string, wall: number): number[] {
	// The offset changes at most once around it: of before or of after is the one that holds.
	const [before, after] = [wall - offsetAt(zone, wall - DAY_MS), wall - offsetAt(zone, wall + DAY_MS)];
	if (before === after) return [before];
	const showing = [before, after].filter((at) => at + offsetAt(zone, at) === wall);
	return showing.length > 0 ? showing.sort((a, b) => a - b) : [before];
}

/** Local time minus UTC in an IANA zone at a moment in epoch ms, in ms. */
export function offsetAt(zone: string, at: number): number {
	const second = Math.floor(at / 1000) * 1000;
	const parts: Record<string, number> = {};
	for (const { type, value } of formatterOf(zone).formatToParts(second)) parts[type] = Number(value);
	return Date.UTC(parts.year!, parts.month! - 1, parts.day, parts.hour, parts.minute, parts.second) - second;
}

function formatterOf(zone: string): Intl.DateTimeFormat {
	let formatter = formatters.get(zone);
	if (!formatter) {
		const numeric = {
			year: 'numeric',
			month: 'numeric',
			day: 'numeric',
			hour: 'numeric',
			minute: 'numeric',
			second: 'numeric',
		} as const;
		formatter = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', calendar: 'gregory', ...numeric });
		formatters.set(zone, formatter);
	}
	return formatter;
}

/** Whether this runtime knows a time zone of that name. An offset such as +01:00 is not one: it has no summer time. */
export function isTimeZone(name: string): boolean {
	if (!/^[A-Za-z]/.test(name)) return false;
	try {
		new Intl.DateTimeFormat('en', { timeZone: name });
		return true;
	} catch {
		return false;
	}
}
