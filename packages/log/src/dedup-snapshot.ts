import { crc32 } from 'node:zlib';
import { type DedupOptions, DedupWindow } from './dedup-window.ts';

/**
 * The dedup window as bytes, so that a start need not read back all the records it was made of:
 * magic, CRC-32, then { u8 length, source, u32 generation, u32 count, count x (f64 seq, u32 hash, u32 seconds, u32 boot) }.
 */
const MAGIC = 0x5ded0b01;
const ENTRY = 20;

/** `leaveOut`: so many of a source's newest entries are not on disk yet, and must not be remembered as if they were. */
export function encodeSnapshot(window: DedupWindow, leaveOut: ReadonlyMap<string, number> = new Map()): Buffer {
	let size = 8;
	for (const { source, count } of window.export()) size += 1 + Buffer.byteLength(source) + 8 + count * ENTRY;
	const bytes = Buffer.allocUnsafe(size);
	let at = 8;
	for (const { source, generation, count: all, entry } of window.export()) {
		const count = Math.max(0, all - (leaveOut.get(source) ?? 0));
		const length = bytes.write(source, at + 1);
		bytes.writeUInt8(length, at);
		at += 1 + length;
		bytes.writeUInt32LE(generation, at);
		bytes.writeUInt32LE(count, at + 4);
		at += 8;
		for (let i = 0; i < count; i++) {
			const [seq, hash, seconds, boot] = entry(i);
			bytes.writeDoubleLE(seq, at);
			bytes.writeUInt32LE(hash, at + 8);
			bytes.writeUInt32LE(seconds, at + 12);
			bytes.writeUInt32LE(boot, at + 16);
			at += ENTRY;
		}
	}
	const used = bytes.subarray(0, at);
	used.writeUInt32LE(MAGIC, 0);
	used.writeUInt32LE(crc32(used.subarray(8)), 4);
	return used;
}

/** The window these bytes were made of, or undefined when they are damaged. */
export function decodeSnapshot(bytes: Buffer, options: Partial<DedupOptions>): DedupWindow | undefined {
	if (bytes.length < 8 || bytes.readUInt32LE(0) !== MAGIC || crc32(bytes.subarray(8)) !== bytes.readUInt32LE(4)) return undefined;
	const window = new DedupWindow(options);
	let at = 8;
	while (at < bytes.length) {
		const length = bytes.readUInt8(at);
		const source = bytes.toString('utf8', at + 1, at + 1 + length);
		at += 1 + length;
		const generation = bytes.readUInt32LE(at);
		const count = bytes.readUInt32LE(at + 4);
		at += 8;
		const entries: [number, number, number, number][] = [];
		for (let i = 0; i < count; i++, at += ENTRY) {
			entries.push([bytes.readDoubleLE(at), bytes.readUInt32LE(at + 8), bytes.readUInt32LE(at + 12), bytes.readUInt32LE(at + 16)]);
		}
		window.import(source, generation, entries);
	}
	return window;
}
