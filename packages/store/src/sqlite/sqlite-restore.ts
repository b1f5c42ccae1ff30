import {
	closeSync,
	copyFileSync,
	existsSync,
	fsyncSync,
	openSync,
	readdirSync,
	renameSync,
	rmSync,
	statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { check } from './sqlite-open.ts';

/** What became of a damaged file. Times are ISO 8601. */
export interface Restoration {
	/** Names of files: what is damaged, as it is now, and what took its place. */
	setAside: string;
	backup: string;
	/** What was written in between is lost. */
	lostFrom: string;
	lostTo: string;
}

const BACKUPS_FOLDER = 'backups';

const stamp = (time: Date) => time.toISOString().replaceAll(/[-:]/g, '');
const nameOf = (path: string) => basename(path, '.sqlite');

/** Where a backup begun at `time` goes. */
export function backupPath(path: string, time: Date): string {
	return join(dirname(path), BACKUPS_FOLDER, `${nameOf(path)}-${stamp(time)}.sqlite`);
}

/** Paths of the backups of a database, the newest first. */
export function backupsOf(path: string): string[] {
	const folder = join(dirname(path), BACKUPS_FOLDER);
	const pattern = /^(.+)-(\d{8}T\d{6}\.\d{3}Z)\.sqlite$/;
	const names = existsSync(folder)
		? readdirSync(folder).filter((name) => pattern.exec(name)?.[1] === nameOf(path))
		: [];
	return names
		.sort()
		.reverse()
		.map((name) => join(folder, name));
}

/** When a backup was begun. */
export function timeOf(backup: string): Date {
	const [, y, mo, d, h, mi, s] = /(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)([\d.]+Z)\.sqlite$/.exec(backup)!;
	return new Date(`${y}-${mo}-${d}T${h}:${mi}:${s}`);
}

/**
 * Sets a damaged database aside and puts its newest good backup in its place; undefined, with nothing changed, where
 * there is none.
 */
export function restore(path: string): Restoration | undefined {
	const backup = backupsOf(path).find(isGood);
	if (!backup) return undefined;
	const written = [path, `${path}-wal`].filter(existsSync).map((file) => statSync(file).mtimeMs);
	const lostTo = new Date(Math.max(...written)).toISOString();
	const restored = `${path}.restored`;
	rmSync(restored, { force: true });
	copyFileSync(backup, restored);
	sync(restored);
	const aside = `${path}.damaged-${stamp(new Date())}`;
	// The journal first: it must never be taken for the backup's.
	for (const suffix of ['-wal', '-shm', '']) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
	renameSync(restored, path);
	sync(dirname(path));
	return { setAside: basename(aside), backup: basename(backup), lostFrom: timeOf(backup).toISOString(), lostTo };
}

function isGood(backup: string): boolean {
	try {
		if (statSync(backup).size === 0) return false;
		const database = new DatabaseSync(backup, { readOnly: true });
		try {
			check(database);
			return true;
		} finally {
			database.close();
		}
	} catch {
		return false;
	}
}

/** Waits for the disk: what was written to a file, or which files a folder has. */
export function sync(path: string): void {
	const file = openSync(path, 'r');
	try {
		fsyncSync(file);
	} finally {
		closeSync(file);
	}
}
