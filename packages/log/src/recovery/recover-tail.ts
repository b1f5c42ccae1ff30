import { truncateSync } from 'node:fs';
import { basename } from 'node:path';
import { salvageSync } from '../segment/salvage.ts';
import { highestOffsetIn, recordsStart, type Segment, walkRecords } from '../segment/segment.ts';
import type { Incident } from '../types.ts';
import { removeFile, setAside } from './set-aside.ts';

export interface Tail {
	/** The offset after the last record that is there. */
	end: number;
	/** That there were records up to here is certain. */
	knownEnd: number;
	/** Had the log not been closed in good order, there may have been records up to here. */
	mayHaveHeld: number;
	/** Lost in the middle of the last segment. */
	inside: { from: number; to: number; file: string }[];
	incidents: Incident[];
}

/**
 * Reads the last segment, cuts off what is broken at its end, and takes away segments at the end that hold no record at
 * all, so that the last one left ends with a whole record. `segments` and their sizes are changed accordingly. `start`
 * is the end of a log without any record.
 */
export function recoverTail(dir: string, segments: Segment[], start: number): Tail {
	const tail: Tail = { end: start, knownEnd: 0, mayHaveHeld: 0, inside: [], incidents: [] };
	for (let last = segments.at(-1); last; last = segments.at(-1)) {
		const before = last.firstOffset - 1;
		const end = recoverSegment(dir, last, tail) + 1;
		if (end > before + 1) return { ...tail, end };
		segments.pop();
		tail.knownEnd = Math.max(tail.knownEnd, last.previousEnd);
		removeFile(last.path);
	}
	return { ...tail, end: start };
}

/** Returns the offset of the last record that is there; one before the first where there is none. */
function recoverSegment(dir: string, last: Segment, tail: Tail): number {
	const bytes = salvageSync(last.path);
	const file = last.path;
	let lastOffset = last.firstOffset - 1;
	const wholeEnd = walkRecords(
		bytes,
		Math.min(recordsStart(last), bytes.length),
		lastOffset,
		(_position, offset) => {
			lastOffset = offset;
		},
		({ position, length, after, before, torn }) => {
			if (before !== undefined) {
				// What was left out lies between two segments, so inside of one every offset that is not there is lost.
				if (before > after + 1) tail.inside.push({ from: after + 1, to: before - 1, file });
				return;
			}
			setAside(dir, `${basename(file, '.log')}-${position}.bin`, bytes.subarray(position));
			tail.incidents.push({ what: torn ? 'torn-tail' : 'damaged-tail', file, bytes: length });
			// A record that is all there but wrong was written whole, so it may have been acknowledged; one that breaks off
			// was not.
			if (!torn) tail.mayHaveHeld = Math.max(tail.mayHaveHeld, highestOffsetIn(bytes, position, after) + 1);
		},
	);
	last.size = wholeEnd;
	if (wholeEnd < bytes.length && lastOffset >= last.firstOffset) truncate(last, wholeEnd);
	return lastOffset;
}

/** Where that fails the header counts as damaged: nothing is written behind the rest, and readers pass over it. */
function truncate(segment: Segment, size: number): void {
	try {
		truncateSync(segment.path, size);
	} catch {
		segment.header = undefined;
	}
}
