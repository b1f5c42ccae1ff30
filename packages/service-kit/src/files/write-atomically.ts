import { closeSync, fdatasyncSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

export interface AtomicWriteOptions {
	/** Where the data is written first; must be in the folder of the file. Default `<path>.tmp`. */
	unfinished?: string;
	/** Also waits until the new name is on disk, so a power cut cannot bring the previous file back. Default false. */
	syncFolder?: boolean;
}

/**
 * Replaces a file (mode 0600) as a whole: writes the data to another file, waits until it is on disk, then renames it.
 * A crash or a failed write leaves the previous file as it was.
 * @throws the system's error; the unfinished file is then removed. After an error of `syncFolder` the file is the new
 * one, but a power cut may bring the previous one back.
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
	if (!syncFolder) return;
	const folder = await open(dirname(path), 'r');
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
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
	syncPath(dirname(path));
}

/** Waits until the content of a file, or the names in a folder, are on disk. @throws the system's error */
export function syncPath(path: string): void {
	const fd = openSync(path, 'r');
	try {
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
}

/** Folders whose names this process has seen on disk: a sync costs an SD card up to 200 ms, also without changes. */
const synced = new Set<string>();

/**
 * Creates a folder (mode 0700) and those above it where they are missing, and waits until their names and the names in
 * the folder are on disk: a power cut takes neither the folder nor what it held before. Also for a folder that exists,
 * as the process that created it may have been killed before it waited.
 * @throws the system's error
 */
export function makeFolder(path: string): void {
	const created = mkdirSync(path, { recursive: true, mode: 0o700 });
	syncPath(path);
	for (let below = resolve(path), above = dirname(below); above !== below; below = above, above = dirname(below)) {
		const isNew = created !== undefined && `${below}/`.startsWith(`${resolve(created)}/`);
		if (synced.has(below) && !isNew) continue;
		try {
			syncPath(above);
			synced.add(below);
		} catch (error) {
			// A folder that this user may not read was not created by this user.
			if (!['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
		}
	}
}
