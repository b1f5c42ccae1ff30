import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/**
 * Reads that get as much as possible from a bad disk: an error costs one block, which is returned as zeros, and zeros
 * are never a record. Only errors that do not blame the disk, such as too many open files, are thrown.
 */
const BLOCK = 4096;
const NOT_THE_DISK = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']);

/** True for an error that does not mean lost data. */
export function isNotTheDisk(error: unknown): boolean {
	return NOT_THE_DISK.has((error as NodeJS.ErrnoException).code ?? '');
}

/** Fills `target` with the bytes from `position` of a file on. */
export async function salvage(file: FileHandle, target: Buffer, position: number): Promise<void> {
	await fill(target, (from, length) =>
		file.read(target, from, length, position + from).then(({ bytesRead }) => bytesRead),
	);
}

async function fill(target: Buffer, read: (from: number, length: number) => Promise<number>): Promise<void> {
	let block = target.length;
	for (let at = 0; at < target.length; ) {
		const length = Math.min(block, target.length - at);
		try {
			const count = await read(at, length);
			if (count === 0) {
				target.fill(0, at);
				return;
			}
			at += count;
		} catch (error) {
			if (isNotTheDisk(error)) throw error;
			if (length <= BLOCK) {
				target.fill(0, at, at + length);
				at += length;
			}
			block = BLOCK;
		}
	}
}

/** Reads a whole file; empty if it cannot be opened. */
export function salvageSync(path: string): Buffer {
	let fd: number | undefined;
	try {
		fd = openSync(path, 'r');
		const bytes = Buffer.allocUnsafe(fstatSync(fd).size);
		fillSync(fd, bytes);
		return bytes;
	} catch (error) {
		if (isNotTheDisk(error)) throw error;
		return Buffer.alloc(0);
	} finally {
		if (fd !== undefined) closeSync(fd);
	}
}

function fillSync(fd: number, target: Buffer): void {
	let block = target.length;
	for (let at = 0; at < target.length; ) {
		const length = Math.min(block, target.length - at);
		try {
			const count = readSync(fd, target, at, length, at);
			if (count === 0) {
				target.fill(0, at);
				return;
			}
			at += count;
		} catch (error) {
			if (isNotTheDisk(error)) throw error;
			if (length <= BLOCK) {
				target.fill(0, at, at + length);
				at += length;
			}
			block = BLOCK;
		}
	}
}
