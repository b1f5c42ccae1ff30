import { closeSync, openSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isDamage } from './open.ts';

/** How long to wait for a previous process that is still stopping, in ms. */
const PATIENCE_MS = 5000;

/**
 * Locks a database file for this process, until the returned database is closed or the process ends in any way: the
 * kernel holds the lock, on an empty database beside the file, whose `user_version` is the pid of the holder.
 * @throws Error that names the process holding the lock.
 */
export function lockFile(path: string): DatabaseSync {
	const lock = `${path}.lock`;
	try {
		return take(lock);
	} catch (error) {
		if (isDamage(error)) {
			rmSync(lock, { force: true });
			return take(lock);
		}
		if (((error as { errcode?: number }).errcode ?? 0) % 256 !== 5) throw error;
		throw new Error(
			`${basename(path)} is in use by process ${holderOf(lock)}: a store belongs to one process at a time`,
		);
	}
}

function take(lock: string): DatabaseSync {
	closeSync(openSync(lock, 'a', 0o600));
	const database = new DatabaseSync(lock, { timeout: PATIENCE_MS });
	try {
		// The holder keeps a write transaction open, which shuts out other writers but lets them read the pid.
		database.exec(
			`PRAGMA synchronous = OFF; BEGIN IMMEDIATE; PRAGMA user_version = ${process.pid}; COMMIT; BEGIN IMMEDIATE`,
		);
		return database;
	} catch (error) {
		database.close();
		throw error;
	}
}

function holderOf(lock: string): string {
	const database = new DatabaseSync(lock, { readOnly: true });
	try {
		return String((database.prepare('PRAGMA user_version').get() as { user_version: number }).user_version);
	} catch {
		return 'unknown';
	} finally {
		database.close();
	}
}
