import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { claimedLength, inspectRecord, nextMagic, offsetAt, RECORD_HEADER } from './record.ts';

/**
 * A segment is a file named after the first offset it may hold and, if offsets were skipped before it, after the end of
 * the previous segment: `<first>.log` or `<first>-<previous end>.log`. `….thin.log` replaces the segment of that name
 * after it was thinned. A header is followed by records:
 *
 *   0  8 bytes magic   8 u32 CRC-32 of [12, 64)   12 u32 64   16 f64 first offset   24 f64 log time, seconds
 *  32  16 bytes id of the log (ASCII)   48 f64 records left out by thinning   56 f64 time of its first record, epoch ms
 */
export const SEGMENT_HEADER = 64;
const MAGIC = Buffer.from('CVLOG1\r\n', 'latin1');
export const SEGMENT_NAME = /^(\d{20})(?:-(\d{20}))?(\.thin)?\.log$/;
/** The file of an interrupted rewrite. */
const UNFINISHED_SEGMENT = /^\d{20}(?:-\d{20})?\.thin\.log\.tmp$/;

export interface SegmentHeader {
	firstOffset: number;
	/**
	 * Log time at which the segment was begun: seconds the log was open, over all its runs. Unlike the wall clock it
	 * never steps.
	 */
	logTime: number;
	logId: string;
	/** Number of records left out by thinning. */
	thinned: number;
	/** When its first record was appended, epoch ms; 0 if unknown. */
	startedAt: number;
}

/** A segment file of an open log. */
export interface Segment {
	path: string;
	firstOffset: number;
	/** End of the previous segment; the offsets in between were never written. */
	previousEnd: number;
	/** Undefined if the header is damaged. */
	header: SegmentHeader | undefined;
	/** Number of durable, intact bytes; readers never read beyond them. */
	size: number;
}

/** Where the records of a segment begin. With a damaged header they may begin earlier, as bytes may be missing. */
export function recordsStart(segment: Segment): number {
	return segment.header ? SEGMENT_HEADER : 0;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
	const bytes = Buffer.alloc(SEGMENT_HEADER);
	MAGIC.copy(bytes);
	bytes.writeUInt32LE(SEGMENT_HEADER, 12);
	bytes.writeDoubleLE(header.firstOffset, 16);
	bytes.writeDoubleLE(header.logTime, 24);
	bytes.write(header.logId, 32, 16, 'latin1');
	bytes.writeDoubleLE(header.thinned, 48);
	bytes.writeDoubleLE(header.startedAt, 56);
	bytes.writeUInt32LE(crc32(bytes.subarray(12)), 8);
	return bytes;
}

/** The header, or undefined when it is damaged. */
function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
	if (bytes.length < SEGMENT_HEADER || !bytes.subarray(0, 8).equals(MAGIC)) return undefined;
	if (crc32(bytes.subarray(12, SEGMENT_HEADER)) !== bytes.readUInt32LE(8)) return undefined;
	return {
		firstOffset: bytes.readDoubleLE(16),
		logTime: bytes.readDoubleLE(24),
		logId: bytes.toString('latin1', 32, 48).replace(/\0+$/, ''),
		thinned: bytes.readDoubleLE(48),
		startedAt: bytes.readDoubleLE(56),
	};
}

export function segmentPath(dir: string, firstOffset: number, previousEnd: number): string {
	const digits = (offset: number) => String(offset).padStart(20, '0');
	return join(dir, `${digits(firstOffset)}${previousEnd === firstOffset ? '' : `-${digits(previousEnd)}`}.log`);
}

/** The path of the segment that replaces this one when it is thinned. */
export function thinnedPath(path: string): string {
	return path.replace(/\.log$/, '.thin.log');
}

/** True for a segment that was thinned. */
export function isThinned({ path }: Segment): boolean {
	return path.endsWith('.thin.log');
}

/**
 * The segments of a folder in order, with their headers; other files are ignored. `superseded` are files that an
 * interrupted rewrite left: the unfinished file, or the segment that was replaced.
 */
export function listSegments(dir: string): { segments: Segment[]; superseded: string[] } {
	const segments: Segment[] = [];
	const superseded: string[] = [];
	for (const name of readdirSync(dir).sort()) {
		const path = join(dir, name);
		if (UNFINISHED_SEGMENT.test(name)) superseded.push(path);
		const match = SEGMENT_NAME.exec(name);
		if (!match) continue;
		const firstOffset = Number(match[1]);
		const header = readHeader(path);
		const segment: Segment = {
			path,
			firstOffset,
			previousEnd: match[2] === undefined ? firstOffset : Number(match[2]),
			header: header?.firstOffset === firstOffset ? header : undefined,
			size: statSync(path).size,
		};
		// A rewritten segment was complete before it got its name: it is used unless it was damaged since.
		const before = segments.at(-1);
		if (before?.firstOffset !== firstOffset) segments.push(segment);
		else if (segment.header) superseded.push(segments.splice(-1, 1, segment)[0]!.path);
		else superseded.push(path);
	}
	return { segments, superseded };
}

function readHeader(path: string): SegmentHeader | undefined {
	const bytes = Buffer.alloc(SEGMENT_HEADER);
	let fd: number | undefined;
	try {
		fd = openSync(path, 'r');
		return decodeSegmentHeader(bytes.subarray(0, readSync(fd, bytes)));
	} catch {
		return undefined;
	} finally {
		if (fd !== undefined) closeSync(fd);
	}
}

/** A range of bytes without any whole, plausible record. */
export interface DamagedStretch {
	position: number;
	length: number;
	/** Offset of the whole record before the range, and of the one after it; undefined at the end. */
	after: number;
	before: number | undefined;
	/** A record begins here and the bytes end inside it, as after an interrupted write. */
	torn: boolean;
}

/**
 * Walks over all records from `position` on, and finds the next whole one after any damage. Offsets increase: a whole
 * record whose offset is not above `after` and all previous ones is an old copy, which counts as damage. Returns the
 * position after the last record.
 */
export function walkRecords(
	bytes: Buffer,
	position: number,
	after: number,
	onRecord: (position: number, offset: number) => void,
	onDamage: (stretch: DamagedStretch) => void,
): number {
	let last = after;
	let end = position;
	let bad: number | undefined;
	let torn = false;
	for (let at = position; at < bytes.length; ) {
		const inspected = inspectRecord(bytes, at);
		const offset = inspected.kind === 'whole' ? offsetAt(bytes, at) : Number.NaN;
		if (inspected.kind === 'whole' && offset > last && Number.isSafeInteger(offset)) {
			if (bad !== undefined) onDamage({ position: bad, length: at - bad, after: last, before: offset, torn: false });
			bad = undefined;
			onRecord(at, offset);
			last = offset;
			at += inspected.length;
			end = at;
			continue;
		}
		if (bad === undefined) {
			bad = at;
			torn = inspected.kind === 'cut';
		}
		const next = nextMagic(bytes, at + 1);
		at = next === -1 ? bytes.length : next;
	}
	if (bad !== undefined) onDamage({ position: bad, length: bytes.length - bad, after: last, before: undefined, torn });
	return end;
}

/**
 * The highest offset that a damaged end of a segment may have held, from `position` on, after the record `last`: exact
 * where its headers are plausible, else as many records as would fit.
 */
export function highestOffsetIn(bytes: Buffer, position: number, last: number): number {
	const fits = (from: number, to: number) => Math.floor((to - from) / RECORD_HEADER);
	let highest = last;
	for (let at = position; at < bytes.length; ) {
		if (bytes.length - at < RECORD_HEADER) return highest + 1;
		const plausible = offsetAt(bytes, at) === highest + 1;
		if (plausible) highest++;
		const length = plausible ? claimedLength(bytes, at) : undefined;
		if (length !== undefined && at + length >= bytes.length) return highest;
		let next =
			length !== undefined && nextMagic(bytes, at + length) === at + length ? at + length : nextMagic(bytes, at + 1);
		for (; next !== -1; next = nextMagic(bytes, next + 1)) {
			if (next + RECORD_HEADER > bytes.length) continue;
			const offset = offsetAt(bytes, next);
			if (offset > highest && offset <= highest + 1 + fits(at, next)) break;
		}
		if (next === -1) return highest + Math.max(plausible ? 0 : 1, fits(at, bytes.length) - (plausible ? 1 : 0));
		highest = offsetAt(bytes, next) - 1;
		at = next;
	}
	return highest;
}
