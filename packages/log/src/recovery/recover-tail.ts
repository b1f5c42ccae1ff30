import { truncateSync } from 'node:fs';
import { basename } from 'node:path';
import { salvageSync } from '../segment/salvage.ts';
import { highestOffsetIn, recordsStart, type Segment, walkRecords } from '../segment/segment.ts';
import type { Incident } from './incident.ts';
import { removeFile, setAside } from './set-aside.ts';

export interface Tail {
	/** The offset after the last record found. */
	end: number;
	/** There were certainly records before this offset. */
	knownEnd: number;
	/** There may have been records before this offset, unless the log was closed cleanly. */
	mayHaveHeld: number;
	/** Ranges lost inside the last segment. */
	inside: { from: number; to: number; file: string }[];
	incidents: Incident[];
}

/**
 * Reads the last segment, cuts off damage at its end, and removes segments at the end without any record, so that the
 * last remaining one ends with a whole record. Changes `segments` and their sizes accordingly. `start` is the end of a
 * log without any record.
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

/** Returns the offset of the last record found; one before the first offset if there is none. */
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
				// Offsets are skipped between two segments only, so inside one every missing offset is a lost record.
				if (before > after + 1) tail.inside.push({ from: after + 1, to: before - 1, file });
				return;
			}
			setAside(dir, `${basename(file, '.log')}-${position}.bin`, bytes.subarray(position));
			tail.incidents.push({ what: torn ? 'torn-tail' : 'damaged-tail', file, bytes: length });
			// A damaged record of full length was written completely, so it may have been acknowledged; a torn one was not.
			if (!torn) tail.mayHaveHeld = Math.max(tail.mayHaveHeld, highestOffsetIn(bytes, position, after) + 1);
		},
	);
	last.size = wholeEnd;
	if (wholeEnd < bytes.length && lastOffset >= last.firstOffset) truncate(last, wholeEnd);
	return lastOffset;
}

/** If truncating fails the header counts as damaged: nothing is written after the rest, and readers skip it. */
function truncate(segment: Segment, size: number): void {
	try {
		truncateSync(segment.path, size);
	} catch {
		segment.header = undefined;
	}
}
