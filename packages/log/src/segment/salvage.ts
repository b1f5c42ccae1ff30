import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/**
 * Reads that get out of a bad disk what it still gives: an error costs one block, which comes back as zeros, and zeros
 * are never a record. Only what says nothing about the disk, such as too many open files, is thrown.
 */
const BLOCK = 4096;
const NOT_THE_DISK = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']);

/** True for an error that must not be taken for lost data. */
export function isNotTheDisk(error: unknown): boolean {
	return NOT_THE_DISK.has((error as NodeJS.ErrnoException).code ?? '');
}

/** Fills `target` from `position` of a file. */
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

/** A whole file. */
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
