import { crc32 } from 'node:zlib';
import { ENTRY_BYTES, SourceWindow } from './source-window.ts';
import { type DedupOptions, DedupWindow } from './window.ts';

/**
 * The dedup window as bytes, so that a start need not read back all of its records: magic, CRC-32 of what follows, f64
 * log time in seconds, f64 offset, then per source { u8 length, source, u32 generation, u32 count, count × f64 seq,
 * count × u32 hash, count × u32 seconds, count × u32 boot }.
 */
const MAGIC = 0x5ded0b02;
const HEADER = 24;

export interface DedupSnapshot {
	window: DedupWindow;
	/** The window contains every record before this offset, and none from it on. */
	offset: number;
	/** Log time of the snapshot. */
	seconds: number;
}

/** Encodes the keys whose records are on disk. The others are left out, or they would count as stored after a crash. */
export function encodeSnapshot({ window, offset, seconds }: DedupSnapshot): Buffer {
	let size = HEADER;
	for (const [source, { count }] of window.export()) size += 9 + Buffer.byteLength(source) + count * ENTRY_BYTES;
	const bytes = Buffer.allocUnsafe(size);
	let at = HEADER;
	for (const [source, entries] of window.export()) {
		const count = entries.count - entries.tentative;
		if (count === 0) continue;
		const length = bytes.write(source, at + 1);
		bytes.writeUInt8(length, at);
		at += 1 + length;
		bytes.writeUInt32LE(entries.durableGeneration, at);
		bytes.writeUInt32LE(count, at + 4);
		at = entries.encode(bytes, at + 8);
	}
	const used = bytes.subarray(0, at);
	used.writeUInt32LE(MAGIC, 0);
	used.writeDoubleLE(seconds, 8);
	used.writeDoubleLE(offset, 16);
	used.writeUInt32LE(crc32(used.subarray(8)), 4);
	return used;
}

/** Decodes a snapshot; undefined when it is damaged. */
export function decodeSnapshot(bytes: Buffer, options: Partial<DedupOptions>): DedupSnapshot | undefined {
	if (bytes.length < HEADER || bytes.readUInt32LE(0) !== MAGIC || crc32(bytes.subarray(8)) !== bytes.readUInt32LE(4))
		return undefined;
	const window = new DedupWindow(options);
	const seconds = bytes.readDoubleLE(8);
	let at = HEADER;
	while (at < bytes.length) {
		const length = bytes.readUInt8(at);
		const source = bytes.toString('utf8', at + 1, at + 1 + length);
		at += 1 + length;
		const entries = new SourceWindow();
		entries.generation = entries.durableGeneration = bytes.readUInt32LE(at);
		const count = bytes.readUInt32LE(at + 4);
		entries.decode(bytes, at + 8, count);
		at += 8 + count * ENTRY_BYTES;
		window.import(source, entries, seconds);
	}
	return { window, offset: bytes.readDoubleLE(16), seconds };
}
