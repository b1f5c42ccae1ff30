import { closeSync, openSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolder } from '@crowdvision/service-kit/files';

const LOCK_TIMEOUT_MS = 5000;
/**
 * Files up to this size are checked before they are used; larger ones in the background (upkeep.ts), so that the start
 * takes no longer.
 */
export const CHECKED_AT_ONCE_BYTES = 64 * 1024 * 1024;

/** The file is not an intact database. */
export class Damage extends Error {}

export interface FileSchema {
	migrations: readonly string[];
	/** The `application_id` of the store's own files. */
	application?: number | undefined;
}

/**
 * Opens or creates a database, readable by this user only, and brings its schema up to date.
 * @throws Damage, and what SQLite throws; Error for a foreign file or one of a newer version.
 */
export function openDatabase(path: string, { migrations, application }: FileSchema): DatabaseSync {
	makeFolder(dirname(path));
	// SQLite gives its journal the mode of the database, so nobody else can read either.
	closeSync(openSync(path, 'a', 0o600));
	const database = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: LOCK_TIMEOUT_MS });
	try {
		if (application !== undefined) refuseForeign(database, application, basename(path));
		database.exec(`
			PRAGMA journal_mode = WAL;
			PRAGMA synchronous = FULL;
			PRAGMA journal_size_limit = 4194304;
			PRAGMA cache_size = -2048;
			PRAGMA temp_store = MEMORY;
		`);
		if (application !== undefined && statSync(path).size <= CHECKED_AT_ONCE_BYTES) check(database);
		migrate(database, migrations, basename(path));
		return database;
	} catch (error) {
		database.close();
		throw error;
	}
}

/** Reads and checks a whole database. @throws Damage, and what SQLite throws. */
export function check(database: DatabaseSync): void {
	const { quick_check: verdict } = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
	if (verdict !== 'ok') throw new Damage(verdict);
}

/** Primary result codes of SQLite that mean damage: SQLITE_CORRUPT and SQLITE_NOTADB. */
export function isDamage(error: unknown): boolean {
	const { errcode } = error as { errcode?: number };
	return error instanceof Damage || (errcode !== undefined && [11, 26].includes(errcode & 0xff));
}

/** @throws Error for a file with tables of another program, which stays as it is. */
function refuseForeign(database: DatabaseSync, application: number, name: string): void {
	const { application_id: found } = database.prepare('PRAGMA application_id').get() as { application_id: number };
	if (found === application) return;
	const { tables } = database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() as { tables: number };
	if (found === 0 && tables === 0) return;
	throw new Error(
		`${name} was not written by this version: it has the layout of an earlier version or of another program. ` +
			'Move it away (with its -wal and -shm files) to start over, or use the version that wrote it',
	);
}

/** Migration n takes the schema from version n to n + 1; each runs in one transaction together with the version. */
function migrate(database: DatabaseSync, migrations: readonly string[], name: string): void {
	const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
	if (version > migrations.length) {
		throw new Error(
			`${name} was written by a newer version of this program ` +
				`(its schema is ${version}, this version knows ${migrations.length})`,
		);
	}
	for (let next = version; next < migrations.length; next++) {
		inTransaction(database, () => {
			database.exec(migrations[next]!);
			database.exec(`PRAGMA user_version = ${next + 1}`);
		});
	}
}

/** Runs `work` in a transaction: all of it or nothing. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
	database.exec('BEGIN IMMEDIATE');
	try {
		const result = work();
		database.exec('COMMIT');
		return result;
	} catch (error) {
		// Some errors, such as a full disk, have already rolled back.
		if (database.isTransaction) database.exec('ROLLBACK');
		throw error;
	}
}
