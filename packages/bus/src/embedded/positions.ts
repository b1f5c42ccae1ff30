import { CrowdVisionError } from '@crowdvision/contracts';
import { type Position, START } from '../bus.ts';

/**
 * The position of the entry at `offset`: the offset plus one, in decimal, since the first offset is 0 and START ('0')
 * is before it. So a position is also the offset to read from for what follows the entry, and the log's end offset is
 * the position of its newest entry.
 */
export const positionOf = (offset: number): Position => String(offset + 1);

/**
 * The offset to read from for everything after `position`.
 * @throws CrowdVisionError `bad_request` if `position` is not a position.
 */
export function offsetAfter(position: Position): number {
	const offset = /^\d{1,16}$/.test(position) ? Number(position) : Number.NaN;
	if (!Number.isSafeInteger(offset))
		throw new CrowdVisionError('bad_request', `"${position.slice(0, 50)}" is not a position of a stream`);
	return offset;
}

/** Whether `position` is before all entries rather than after one. */
export const isStart = (position: Position) => offsetAfter(position) === offsetAfter(START);
