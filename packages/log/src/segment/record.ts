import { crc32 } from 'node:zlib';

/**
 * One record on disk, little endian:
 *
 *   0  u32  magic: makes the next whole record findable after damage
 *   4  u32  CRC-32 of everything after it (zlib's polynomial)
 *   8  u32  length of the whole record
 *  12  u32  low 10 bits: length of the key; high 22 bits: log time in seconds modulo 2^22, so that a dedup window
 *           rebuilt from the records ages as the previous one did
 *  16  f64  offset: tells a reader after damage exactly what is missing
 *  24  f64  at, epoch ms
 *  32  key, then payload
 *
 * The key identifies a redelivery. It is part of the record, so key and reading are always one write.
 *
 *   0  u32  hash of the content    4  f64  seq    12  u8  length of source    13  source    u8 length of boot    boot
 *
 * The first byte of the magic never occurs in UTF-8, so text inside a record never passes for the beginning of one.
 */
const RECORD_MAGIC = 0x1d5ac3f5;
export const RECORD_HEADER = 32;
export const MAX_PAYLOAD = 1024 * 1024;
const MAX_NAME = 255;
export const KEY_FIXED = 14;
const KEY_LENGTH_BITS = 10;
const KEY_LENGTH_MASK = 2 ** KEY_LENGTH_BITS - 1;
/** The log time in a record wraps after this many seconds, 48 days. */
export const SECONDS_WRAP = 2 ** (32 - KEY_LENGTH_BITS);
const MAX_RECORD = RECORD_HEADER + KEY_FIXED + 2 * MAX_NAME + MAX_PAYLOAD;

/** Identifies a record when it is delivered again. */
export interface DedupKey {
	/** The sender; at most 255 bytes of UTF-8. */
	source: string;
	/**
	 * Changes when the sender restarts and `seq` begins again; '' if the sender names none. At most 255 bytes of UTF-8.
	 */
	boot: string;
	/** Increases within a boot. */
	seq: number;
	/** 32-bit hash of the content. */
	hash: number;
}

export interface LogRecord {
	offset: number;
	/** When it was appended, epoch ms. */
	at: number;
	payload: Buffer;
}

/** Why payload or key are too large for a record, in words; undefined if they are not. */
export function tooLarge(payload: Buffer | string, key: DedupKey | undefined): string | undefined {
	const size = payload.length > MAX_PAYLOAD / 3 ? Buffer.byteLength(payload) : 0;
	if (size > MAX_PAYLOAD) return `a payload of ${size} bytes; at most ${MAX_PAYLOAD}`;
	if (!key) return undefined;
	const longest = Math.max(key.source.length, key.boot.length);
	if (longest > MAX_NAME / 3 && Math.max(Buffer.byteLength(key.source), Buffer.byteLength(key.boot)) > MAX_NAME) {
		return `a source or boot of more than ${MAX_NAME} bytes`;
	}
	return undefined;
}

/** Upper bound of the bytes that `encodeRecord` writes for this payload and key. */
export function encodedBound(payload: Buffer | string, key: DedupKey | undefined): number {
	return RECORD_HEADER + Buffer.byteLength(payload) + (key ? KEY_FIXED + (key.source.length + key.boot.length) * 3 : 0);
}

/**
 * Writes a record that is not `tooLarge` at `position` of `target`, which must have `encodedBound` bytes of room.
 * Returns the position after it.
 */
export function encodeRecord(
	target: Buffer,
	position: number,
	offset: number,
	at: number,
	seconds: number,
	payload: Buffer | string,
	key: DedupKey | undefined,
): number {
	let end = position + RECORD_HEADER;
	if (key) {
		target.writeUInt32LE(key.hash >>> 0, end);
		target.writeDoubleLE(key.seq, end + 4);
		const sourceLength = target.write(key.source, end + 13);
		target.writeUInt8(sourceLength, end + 12);
		end += 13 + sourceLength;
		const bootLength = key.boot === '' ? 0 : target.write(key.boot, end + 1);
		target.writeUInt8(bootLength, end);
		end += 1 + bootLength;
	}
	const keyLength = end - position - RECORD_HEADER;
	end += typeof payload === 'string' ? target.write(payload, end) : payload.copy(target, end);
	writeHeader(target, position, end - position, keyLength, offset, at, seconds);
	target.writeUInt32LE(crc32(target.subarray(position + 8, end)), position + 4);
	return end;
}

/** Writes the header of a record but for its CRC. `length` is that of the whole record. */
export function writeHeader(
	target: Buffer,
	position: number,
	length: number,
	keyLength: number,
	offset: number,
	at: number,
	seconds: number,
): void {
	target.writeUInt32LE(RECORD_MAGIC, position);
	target.writeUInt32LE(length, position + 8);
	target.writeUInt32LE((keyLength | (seconds << KEY_LENGTH_BITS)) >>> 0, position + 12);
	target.writeDoubleLE(offset, position + 16);
	target.writeDoubleLE(at, position + 24);
}

/** `whole`: a valid record of that length. `cut`: may be a record, but `bytes` ends inside it. `bad`: not a record. */
export type Inspection = { kind: 'whole'; length: number } | { kind: 'cut'; needs: number } | { kind: 'bad' };

const BAD: Inspection = { kind: 'bad' };
const MAGIC_BYTES = Buffer.alloc(4);
MAGIC_BYTES.writeUInt32LE(RECORD_MAGIC);

/** Checks whether a record begins at `position`. */
export function inspectRecord(bytes: Buffer, position: number): Inspection {
	const left = bytes.length - position;
	if (left < 4)
		return bytes.subarray(position).equals(MAGIC_BYTES.subarray(0, left)) ? { kind: 'cut', needs: RECORD_HEADER } : BAD;
	if (bytes.readUInt32LE(position) !== RECORD_MAGIC) return BAD;
	if (left < RECORD_HEADER) return { kind: 'cut', needs: RECORD_HEADER };
	const length = bytes.readUInt32LE(position + 8);
	if (length < RECORD_HEADER || length > MAX_RECORD) return BAD;
	if (left < length) return { kind: 'cut', needs: length };
	if (crc32(bytes.subarray(position + 8, position + length)) !== bytes.readUInt32LE(position + 4)) return BAD;
	return { kind: 'whole', length };
}

/** The length in a record's header, whether or not the record is whole; undefined if it is impossible. */
export function claimedLength(bytes: Buffer, position: number): number | undefined {
	const length = bytes.readUInt32LE(position + 8);
	return length < RECORD_HEADER || length > MAX_RECORD ? undefined : length;
}

/** Reads the offset of a whole record. */
export function offsetAt(bytes: Buffer, position: number): number {
	return bytes.readDoubleLE(position + 16);
}

/** Reads the log time of a whole record, in seconds modulo `SECONDS_WRAP`. */
export function secondsAt(bytes: Buffer, position: number): number {
	return bytes.readUInt32LE(position + 12) >>> KEY_LENGTH_BITS;
}

/** Where the payload of a whole record begins; it ends with the record. */
export function payloadStart(bytes: Buffer, position: number): number {
	return position + RECORD_HEADER + (bytes.readUInt32LE(position + 12) & KEY_LENGTH_MASK);
}

/** When a whole record was appended, epoch ms. */
export function timeAt(bytes: Buffer, position: number): number {
	return bytes.readDoubleLE(position + 24);
}

/** A whole record; its payload shares memory with `bytes`. */
export function recordAt(bytes: Buffer, position: number, length: number): LogRecord {
	return {
		offset: offsetAt(bytes, position),
		at: timeAt(bytes, position),
		payload: bytes.subarray(payloadStart(bytes, position), position + length),
	};
}

/** The key of a whole record, if it has one. */
export function keyAt(bytes: Buffer, position: number): DedupKey | undefined {
	if ((bytes.readUInt32LE(position + 12) & KEY_LENGTH_MASK) === 0) return undefined;
	const start = position + RECORD_HEADER;
	const sourceEnd = start + 13 + bytes.readUInt8(start + 12);
	return {
		hash: bytes.readUInt32LE(start),
		seq: bytes.readDoubleLE(start + 4),
		source: bytes.toString('utf8', start + 13, sourceEnd),
		boot: bytes.toString('utf8', sourceEnd + 1, sourceEnd + 1 + bytes.readUInt8(sourceEnd)),
	};
}

/** The next position from `position` on where a record may begin, or -1. */
export function nextMagic(bytes: Buffer, position: number): number {
	return bytes.indexOf(MAGIC_BYTES, position);
}
