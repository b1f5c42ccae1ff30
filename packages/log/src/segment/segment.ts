import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { claimedLength, lookAtRecord, nextMagic, offsetAt, RECORD_HEADER } from './record.ts';

/**
 * A segment is a file named after the first offset it may hold and, where offsets were left out before it, after the
 * end of the segment before: `<first>.log` or `<first>-<previous end>.log`; `….thin.log` where it stands for one of
 * that name that had more records. It begins with a header, then come records:
 *
 *   0  8 bytes magic   8 u32 CRC-32 of [12, 64)   12 u32 64   16 f64 first offset   24 f64 log time, seconds
 *  32  16 bytes id of the log (ASCII)             48 f64 records left out by thinning    56 f64 when its first record was appended, epoch ms
 */
export const SEGMENT_HEADER = 64;
const MAGIC = Buffer.from('CVLOG1\r\n', 'latin1');
export const SEGMENT_NAME = /^(\d{20})(?:-(\d{20}))?(\.thin)?\.log$/;
/** What a rewrite that was cut short leaves. */
const UNFINISHED_SEGMENT = /^\d{20}(?:-\d{20})?\.thin\.log\.tmp$/;

export interface SegmentHeader {
	firstOffset: number;
	/**
	 * Seconds the log had been open, over all its runs, when the segment was begun. The wall clock may step; this does
	 * not.
	 */
	logTime: number;
	logId: string;
	/** How many records were left out of it when the log was full (policy `thin`). */
	thinned: number;
	/** When its first record was appended, epoch ms; 0 where that is not known. */
	startedAt: number;
}

/** One segment file as the log knows it. */
export interface Segment {
	path: string;
	firstOffset: number;
	/** End of the segment before it: what lies between was never written. */
	previousEnd: number;
	/** Undefined where the header is damaged. */
	header: SegmentHeader | undefined;
	/** Bytes that are durable and whole; readers never look past it. */
	size: number;
}

/** Where the records of a segment begin. A damaged header may have lost bytes, so that they begin earlier. */
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

/** The path of what takes the place of a segment when it is thinned. */
export function thinnedPath(path: string): string {
	return path.replace(/\.log$/, '.thin.log');
}

/** True of a segment that was thinned. */
export function isThinned({ path }: Segment): boolean {
	return path.endsWith('.thin.log');
}

/**
 * The segments of a folder in order, with their headers. Files that are none are left alone. Where a rewrite was cut
 * short, what it was to replace, or has replaced, is `superseded`.
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
		// The rewritten one was whole before it got its name: it holds, unless something has happened to it since.
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

/** A stretch of bytes that holds no whole record that could stand there. */
export interface DamagedStretch {
	position: number;
	length: number;
	/** Offset of the whole record before it; that of the one behind it, undefined at the end. */
	after: number;
	before: number | undefined;
	/** A record began here and the bytes end inside it: what an interrupted write leaves. */
	torn: boolean;
}

/**
 * Walks over all records from `position`, finding the next whole one behind any damage. Offsets rise: a whole record
 * whose offset is not above
 * `after` and all before it is an old copy, and damage. Returns the position after the last record.
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
		const look = lookAtRecord(bytes, at);
		const offset = look.kind === 'whole' ? offsetAt(bytes, at) : Number.NaN;
		if (look.kind === 'whole' && offset > last && Number.isSafeInteger(offset)) {
			if (bad !== undefined) onDamage({ position: bad, length: at - bad, after: last, before: offset, torn: false });
			bad = undefined;
			onRecord(at, offset);
			last = offset;
			at += look.length;
			end = at;
			continue;
		}
		if (bad === undefined) {
			bad = at;
			torn = look.kind === 'cut';
		}
		const next = nextMagic(bytes, at + 1);
		at = next === -1 ? bytes.length : next;
	}
	if (bad !== undefined) onDamage({ position: bad, length: bytes.length - bad, after: last, before: undefined, torn });
	return end;
}

/**
 * The highest offset that may have stood in a broken end of a segment, from `position` on, behind the record `last`:
 * exact where the headers in it can still be believed, else as many as would fit.
 */
export function highestOffsetIn(bytes: Buffer, position: number, last: number): number {
	const fits = (from: number, to: number) => Math.floor((to - from) / RECORD_HEADER);
	let highest = last;
	for (let at = position; at < bytes.length; ) {
		if (bytes.length - at < RECORD_HEADER) return highest + 1;
		const believed = offsetAt(bytes, at) === highest + 1;
		if (believed) highest++;
		const length = believed ? claimedLength(bytes, at) : undefined;
		if (length !== undefined && at + length >= bytes.length) return highest;
		let next =
			length !== undefined && nextMagic(bytes, at + length) === at + length ? at + length : nextMagic(bytes, at + 1);
		for (; next !== -1; next = nextMagic(bytes, next + 1)) {
			if (next + RECORD_HEADER > bytes.length) continue;
			const offset = offsetAt(bytes, next);
			if (offset > highest && offset <= highest + 1 + fits(at, next)) break;
		}
		if (next === -1) return highest + Math.max(believed ? 0 : 1, fits(at, bytes.length) - (believed ? 1 : 0));
		highest = offsetAt(bytes, next) - 1;
		at = next;
	}
	return highest;
}
