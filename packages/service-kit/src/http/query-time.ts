import { MAX_TIME_LENGTH, readTimestamp, TIME_IN_QUERY, timesAtWall } from '@crowdvision/contracts';
import { invalid } from './invalid.ts';

/** Later times exceed what Date.UTC and the time zones can represent. */
const LATEST = Date.UTC(9000, 0);

/**
 * A time in a request as epoch ms: a number, or a text as readings have it. Without a zone it is UTC, on every machine;
 * of a time that the clocks of the named zone show twice it is the first. Undefined where none is given.
 * @param path JSON Pointer to the time
 * @throws CrowdVisionError `invalid` for what is no time, such as 31 February, or not from 1970 to 9000
 */
export function timeOfQuery(stated: string | number | undefined, path: string): number | undefined {
	if (stated === undefined) return undefined;
	const at = typeof stated === 'number' ? stated : /^\d{1,15}$/.test(stated) ? Number(stated) : momentOf(stated);
	if (at === undefined || !(at >= 0 && at <= LATEST)) throw invalid([{ path, message: `must be ${TIME_IN_QUERY}` }]);
	return at;
}

function momentOf(text: string): number | undefined {
	if (text.length > MAX_TIME_LENGTH) return undefined;
	// A plus sign that was not encoded arrives as a space.
	const time = readTimestamp(text.replace(/(:\d\d(?:[.,]\d+)?) (?=\d\d(?::?\d\d)?(?:\[|$))/, '$1+'));
	return time?.isLocal && time.zone !== undefined ? timesAtWall(time.zone, time.at)[0] : time?.at;
}
