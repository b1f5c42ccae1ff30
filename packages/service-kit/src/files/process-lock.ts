import { closeSync, openSync, truncateSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** How long to wait for a previous process that is still stopping, in ms. */
const PATIENCE_MS = 5000;
/** Primary result codes of SQLite: SQLITE_BUSY; SQLITE_CORRUPT and SQLITE_NOTADB. */
const BUSY = 5;
const DAMAGED = [11, 26];

/** A lock that this process holds. */
export interface ProcessLock {
	release(): void;
}

/**
 * Locks what lies beside the file `path` for this process, until `release` or the end of the process, however it ends:
 * the kernel holds the lock, on a database that also names the holder. Processes in different containers see each other
 * where they share the folder. Waits for a holder that is stopping, and blocks meanwhile.
 * @param what is locked, as the beginning of the sentence "… is in use by …"
 * @throws Error that names the process that holds it; the system's error if the file cannot be written
 */
export function takeProcessLock(path: string, what: string, patienceMs = PATIENCE_MS): ProcessLock {
	try {
		return hold(path, patienceMs);
	} catch (error) {
		const code = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
		if (DAMAGED.includes(code)) {
			// Not removed: the file may be damaged while another process holds the lock on it.
			truncateSync(path);
			return takeProcessLock(path, what, patienceMs);
		}
		if (code !== BUSY) throw error;
		throw new Error(`${what} is in use by ${holderOf(path)}; only one process at a time may use it`);
	}
}

function hold(path: string, patienceMs: number): ProcessLock {
	closeSync(openSync(path, 'a', 0o600));
	const database = new DatabaseSync(path, { timeout: patienceMs });
	try {
		// The holder keeps a write transaction open, which shuts out other writers but lets them read who it is.
		database.exec('PRAGMA synchronous = OFF; BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS holder (name TEXT)');
		database.exec('DELETE FROM holder');
		const program = basename(process.argv[1] ?? process.execPath);
		database.prepare('INSERT INTO holder VALUES (?)').run(`process ${process.pid} (${program} on ${hostname()})`);
		database.exec('COMMIT; BEGIN IMMEDIATE');
	} catch (error) {
		database.close();
		throw error;
	}
	return { release: () => database.close() };
}

function holderOf(path: string): string {
	try {
		const database = new DatabaseSync(path, { readOnly: true });
		try {
			return (database.prepare('SELECT name FROM holder').get() as { name: string }).name;
		} finally {
			database.close();
		}
	} catch {
		return 'another process';
	}
}
