/** Replaces a damaged SQLite file by its newest good backup. */
import { copyFileSync, existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { syncPath } from '@crowdvision/service-kit/files';
import { check } from './open.ts';

/** How a damaged file was restored. Times are ISO 8601. */
export interface Restoration {
	/** Name that the damaged file has now. */
	setAside: string;
	/** Name of the backup that replaced it. */
	backup: string;
	/** What was written between these times is lost. */
	lostFrom: string;
	lostTo: string;
}

const BACKUPS_FOLDER = 'backups';

const stamp = (time: Date) => time.toISOString().replaceAll(/[-:]/g, '');
const nameOf = (path: string) => basename(path, '.sqlite');

/** The path of a backup that begins at `time`. */
export function backupPath(path: string, time: Date): string {
	return join(dirname(path), BACKUPS_FOLDER, `${nameOf(path)}-${stamp(time)}.sqlite`);
}

/** The paths of a database's backups, newest first. */
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

/** The time at which a backup began. */
export function timeOf(backup: string): Date {
	const [, y, mo, d, h, mi, s] = /(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)([\d.]+Z)\.sqlite$/.exec(backup)!;
	return new Date(`${y}-${mo}-${d}T${h}:${mi}:${s}`);
}

/** Sets a damaged database aside and replaces it by its newest good backup. Without one: undefined, and no change. */
export function restore(path: string): Restoration | undefined {
	const backup = backupsOf(path).find(isGood);
	if (!backup) return undefined;
	const written = [path, `${path}-wal`].filter(existsSync).map((file) => statSync(file).mtimeMs);
	const lostTo = new Date(Math.max(...written)).toISOString();
	const restored = `${path}.restored`;
	rmSync(restored, { force: true });
	copyFileSync(backup, restored);
	syncPath(restored);
	const aside = `${path}.damaged-${stamp(new Date())}`;
	// It must never pass for the journal of the backup, nor after a power cut.
	for (const suffix of ['-wal', '-shm', '']) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
	syncPath(dirname(path));
	renameSync(restored, path);
	syncPath(dirname(path));
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
