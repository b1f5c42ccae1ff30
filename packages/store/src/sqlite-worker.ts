import { closeSync, mkdirSync, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort } from 'node:worker_threads';
import type { ErrorCode } from '@crowdvision/contracts';
import type { Statement, StatementOutcome, WorkerReply, WorkerRequest } from './sqlite-protocol.ts';

/** The worker's side: every database of the process, one request after the other. */

const MOST_PREPARED = 100;
const LOCK_TIMEOUT_MS = 5000;

interface Prepared {
	statement: StatementSync;
	returnsRows: boolean;
}

interface Open {
	database: DatabaseSync;
	/** The last used stands last. */
	prepared: Map<string, Prepared>;
	name: string;
}

const databases = new Map<number, Open>();
const port = parentPort;
if (!port) throw new Error('this file runs in a worker thread');

port.on('message', (request: WorkerRequest) => {
	let reply: WorkerReply;
	try {
		reply = { id: request.id, ok: true, outcomes: handle(request) };
	} catch (error) {
		reply = { id: request.id, ok: false, error: describe(error, nameIn(request)) };
	}
	port.postMessage(reply);
	if (request.op === 'stop') port.close();
});

function handle(request: WorkerRequest): StatementOutcome[] {
	switch (request.op) {
		case 'open':
			databases.set(request.db, open(request.path, request.migrations, request.application));
			return [];
		case 'run':
			return run(get(request.db), request.statements);
		case 'exec':
			get(request.db).database.exec(request.sql);
			return [];
		case 'close':
			get(request.db).database.close();
			databases.delete(request.db);
			return [];
		case 'stop':
			for (const { database } of databases.values()) database.close();
			databases.clear();
			return [];
	}
}

function nameIn(request: WorkerRequest): string | undefined {
	if (request.op === 'open') return basename(request.path);
	return 'db' in request ? databases.get(request.db)?.name : undefined;
}

function get(db: number): Open {
	const found = databases.get(db);
	if (!found) throw new Closed('The store is closed');
	return found;
}

class Closed extends Error {
	readonly code = 'unavailable';
}

function open(path: string, migrations: readonly string[], application: number | undefined): Open {
	mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
	// SQLite gives its journal the mode of the database: with this one nobody else reads what is kept.
	closeSync(openSync(path, 'a', 0o600));
	const database = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: LOCK_TIMEOUT_MS });
	try {
		if (application !== undefined) refuseOthers(database, application, basename(path));
		database.exec(`
			PRAGMA journal_mode = WAL;
			PRAGMA synchronous = FULL;
			PRAGMA journal_size_limit = 4194304;
			PRAGMA cache_size = -2048;
			PRAGMA temp_store = MEMORY;
		`);
		migrate(database, migrations, basename(path));
		return { database, prepared: new Map(), name: basename(path) };
	} catch (error) {
		database.close();
		throw error;
	}
}

/** A file with somebody else's tables stays as it is. */
function refuseOthers(database: DatabaseSync, application: number, name: string): void {
	const { application_id: found } = database.prepare('PRAGMA application_id').get() as { application_id: number };
	if (found === application) return;
	const { tables } = database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() as { tables: number };
	if (found === 0 && tables === 0) return;
	throw new Error(
		`${name} was not written by this version: its layout is that of a version before, or another program's. ` +
			'Move it away (with its -wal and -shm files) to begin anew, or go on with the version that wrote it',
	);
}

/** Migration n takes the schema from version n to n + 1; each is one transaction with the version. */
function migrate(database: DatabaseSync, migrations: readonly string[], name: string): void {
	const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
	if (version > migrations.length) {
		throw new Error(`${name} was written by a newer version of this program (schema ${version}, this one knows ${migrations.length})`);
	}
	for (let next = version; next < migrations.length; next++) {
		inTransaction(database, () => {
			database.exec(migrations[next]!);
			database.exec(`PRAGMA user_version = ${next + 1}`);
		});
	}
}

function run(target: Open, statements: readonly Statement[]): StatementOutcome[] {
	const [only] = statements;
	if (statements.length === 1 && !only!.many && only!.expect === undefined) return [runOne(target, only!)];
	return inTransaction(target.database, () => statements.map((statement) => runOne(target, statement)));
}

function inTransaction<T>(database: DatabaseSync, work: () => T): T {
	database.exec('BEGIN IMMEDIATE');
	try {
		const result = work();
		database.exec('COMMIT');
		return result;
	} catch (error) {
		// Some errors (a full disk) have rolled back already.
		if (database.isTransaction) database.exec('ROLLBACK');
		throw error;
	}
}

class Unexpected extends Error {
	readonly code = 'conflict';
}

function runOne(target: Open, { sql, params, many, expect }: Statement): StatementOutcome {
	const { statement, returnsRows } = prepare(target, sql);
	const outcome: StatementOutcome = { changes: 0, rows: [] };
	for (const values of many ?? [params ?? []]) {
		if (returnsRows) outcome.rows = outcome.rows.concat(statement.all(...values));
		else outcome.changes += Number(statement.run(...values).changes);
	}
	if (returnsRows) outcome.changes = outcome.rows.length;
	if (expect !== undefined && outcome.changes !== expect) throw new Unexpected('It was changed or removed meanwhile');
	return outcome;
}

function prepare({ database, prepared }: Open, sql: string): Prepared {
	let found = prepared.get(sql);
	if (found) prepared.delete(sql);
	else {
		const statement = database.prepare(sql);
		found = { statement, returnsRows: statement.columns().length > 0 };
		if (prepared.size >= MOST_PREPARED) prepared.delete(prepared.keys().next().value!);
	}
	prepared.set(sql, found);
	return found;
}

/** Primary result codes (the low byte of what SQLite reports) that mean: the disk or the file, not the request. */
const TROUBLE: Record<number, string> = {
	5: 'is locked by another process',
	8: 'cannot be written',
	10: 'cannot be read or written: the disk reports an error',
	11: 'is damaged',
	13: 'cannot grow: the disk is full',
	14: 'cannot be opened',
	26: 'is not a database, or is damaged',
};
const UNIQUE = [1555, 2067];
const UNIQUE_MESSAGE = /^UNIQUE constraint failed: (?:index '(.*)'|(.*))$/;

function describe(error: unknown, name = 'the database'): { code?: ErrorCode; message: string; unique?: string } {
	const { errcode, message } = error as { errcode?: number; message: string };
	if (error instanceof Unexpected || error instanceof Closed) return { code: error.code, message };
	if (errcode === undefined) return { message };
	if (UNIQUE.includes(errcode)) {
		const [, index, columns] = UNIQUE_MESSAGE.exec(message) ?? [];
		return { code: 'conflict', message: 'It exists already', unique: index ?? columns ?? '' };
	}
	const trouble = TROUBLE[errcode & 0xff];
	return trouble ? { code: 'unavailable', message: `${name} ${trouble}` } : { message };
}
