import { closeSync, fdatasyncSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface AtomicWriteOptions {
	/** Where the data is written first; must be in the folder of the file. Default `<path>.tmp`. */
	unfinished?: string;
	/** Also waits until the new name is on disk, so a power cut cannot bring the previous file back. Default false. */
	syncFolder?: boolean;
}

/**
 * Replaces a file (mode 0600) as a whole: writes the data to another file, waits until it is on disk, then renames it.
 * A crash or a failed write leaves the previous file as it was.
 * @throws the system's error; the unfinished file is then removed.
 */
export async function writeAtomically(
	path: string,
	data: string | Uint8Array,
	{ unfinished = `${path}.tmp`, syncFolder = false }: AtomicWriteOptions = {},
): Promise<void> {
	try {
		const file = await open(unfinished, 'w', 0o600);
		try {
			await file.writeFile(data);
			await file.datasync();
		} finally {
			await file.close();
		}
		await rename(unfinished, path);
	} catch (error) {
		await rm(unfinished, { force: true }).catch(() => undefined);
		throw error;
	}
	if (syncFolder) syncFolderOf(path);
}

/** As `writeAtomically`, synchronously. */
export function writeAtomicallySync(
	path: string,
	data: string | Uint8Array,
	{ unfinished = `${path}.tmp`, syncFolder = false }: AtomicWriteOptions = {},
): void {
	try {
		const bytes = typeof data === 'string' ? Buffer.from(data) : data;
		const fd = openSync(unfinished, 'w', 0o600);
		try {
			for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
			fdatasyncSync(fd);
		} finally {
			closeSync(fd);
		}
		renameSync(unfinished, path);
	} catch (error) {
		rmSync(unfinished, { force: true });
		throw error;
	}
	if (syncFolder) syncFolderOf(path);
}

/** Waits until the names in the folder of a file are on disk. */
export function syncFolderOf(path: string): void {
	const folder = openSync(dirname(path), 'r');
	try {
		fsyncSync(folder);
	} finally {
		closeSync(folder);
	}
}
