import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { lookAtRecord, nextMagic, offsetAt } from './record.ts';

/**
 * A segment is a file named after the first offset it may hold, with a header and then records:
 *
 *   0  8 bytes magic   8 u32 CRC-32 of [12, 64)   12 u32 64
 *  16  f64 first offset            24  f64 end of the segment before it: what lies between was never written
 *  32  f64 log time, seconds       40  16 bytes id of the log (ASCII)     56  8 bytes 0
 */
export const SEGMENT_HEADER = 64;
const MAGIC = Buffer.from('CVLOG1\r\n', 'latin1');

export interface SegmentHeader {
	firstOffset: number;
	previousEnd: number;
	/** Seconds the log had been open, over all its runs, when the segment was begun. The wall clock may step; this does not. */
	logTime: number;
	logId: string;
}

/** One segment file as the log knows it. `size`: bytes that are durable and whole; readers never look past it. */
export interface Segment {
	path: string;
	firstOffset: number;
	/** Undefined where the header is damaged. */
	header: SegmentHeader | undefined;
	size: number;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
	const bytes = Buffer.alloc(SEGMENT_HEADER);
	MAGIC.copy(bytes);
	bytes.writeUInt32LE(SEGMENT_HEADER, 12);
	bytes.writeDoubleLE(header.firstOffset, 16);
	bytes.writeDoubleLE(header.previousEnd, 24);
	bytes.writeDoubleLE(header.logTime, 32);
	bytes.write(header.logId, 40, 16, 'latin1');
	bytes.writeUInt32LE(crc32(bytes.subarray(12)), 8);
	return bytes;
}

/** The header, or undefined when it is damaged. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
	if (bytes.length < SEGMENT_HEADER || !bytes.subarray(0, 8).equals(MAGIC)) return undefined;
	if (crc32(bytes.subarray(12, SEGMENT_HEADER)) !== bytes.readUInt32LE(8)) return undefined;
	return {
		firstOffset: bytes.readDoubleLE(16),
		previousEnd: bytes.readDoubleLE(24),
		logTime: bytes.readDoubleLE(32),
		logId: bytes.toString('latin1', 40, 56).replace(/\0+$/, ''),
	};
}

export function segmentPath(dir: string, firstOffset: number): string {
	return join(dir, `${String(firstOffset).padStart(20, '0')}.log`);
}

/** The segments of a folder in order, with their headers. Files that are none are left alone. */
export function listSegments(dir: string): Segment[] {
	return readdirSync(dir)
		.filter((name) => /^\d{20}\.log$/.test(name))
		.sort()
		.map((name) => {
			const path = join(dir, name);
			return { path, firstOffset: Number(name.slice(0, 20)), header: readHeader(path), size: statSync(path).size };
		});
}

function readHeader(path: string): SegmentHeader | undefined {
	const fd = openSync(path, 'r');
	try {
		const bytes = Buffer.alloc(SEGMENT_HEADER);
		return decodeSegmentHeader(bytes.subarray(0, readSync(fd, bytes)));
	} finally {
		closeSync(fd);
	}
}

/** A stretch of bytes that holds no whole record. The offsets lost are those after `after` and before `before` (undefined: at the end). */
export interface DamagedStretch {
	position: number;
	length: number;
	after: number | undefined;
	before: number | undefined;
	/** A record began here and the bytes end inside it: what an interrupted write leaves. */
	torn: boolean;
}

/**
 * Walks over all records from `position`, finding the next whole one behind any damage.
 * Returns the position after the last whole record.
 */
export function walkRecords(
	bytes: Buffer,
	position: number,
	onRecord: (position: number, length: number) => void,
	onDamage: (stretch: DamagedStretch) => void,
): number {
	let after: number | undefined;
	let end = position;
	while (position < bytes.length) {
		const look = lookAtRecord(bytes, position);
		if (look.kind === 'whole') {
			onRecord(position, look.length);
			after = offsetAt(bytes, position);
			position += look.length;
			end = position;
			continue;
		}
		let next = nextMagic(bytes, position + 1);
		while (next !== -1 && lookAtRecord(bytes, next).kind !== 'whole') next = nextMagic(bytes, next + 1);
		const stretchEnd = next === -1 ? bytes.length : next;
		onDamage({
			position,
			length: stretchEnd - position,
			after,
			before: next === -1 ? undefined : offsetAt(bytes, next),
			torn: next === -1 && look.kind === 'cut',
		});
		position = stretchEnd;
	}
	return end;
}
