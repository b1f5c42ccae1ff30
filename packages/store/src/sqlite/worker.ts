import { existsSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { parentPort } from 'node:worker_threads';
import type { ErrorCode } from '@crowdvision/contracts';
import { makeFolder } from '@crowdvision/service-kit/files';
import { type ProcessLock, takeProcessLock } from '@crowdvision/service-kit/process-lock';
import { Damage, type FileSchema, inTransaction, isDamage, openDatabase } from './open.ts';
import type { Statement, StatementOutcome, WorkerReply, WorkerRequest } from './protocol.ts';
import { backupsOf, type Restoration, restore } from './restore.ts';

/** The worker thread of the engine: holds every database of the process and serves one request after the other. */

const MAX_PREPARED = 100;

interface Prepared {
	statement: StatementSync;
	returnsRows: boolean;
}

interface Open {
	database: DatabaseSync;
	/** Ordered by use, the most recent last. */
	prepared: Map<string, Prepared>;
	name: string;
	lock?: ProcessLock;
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
		case 'open': {
			const { open: opened, restored } = open(request);
			databases.set(request.db, opened);
			return [{ changes: 0, rows: restored ? [restored] : [] }];
		}
		case 'run':
			return run(get(request.db), request.statements);
		case 'exec':
			get(request.db).database.exec(request.sql);
			return [];
		case 'close':
			close(get(request.db));
			databases.delete(request.db);
			return [];
		case 'stop':
			for (const one of databases.values()) close(one);
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

/** Opens a file. A file of the store (with `application`) is locked first, and restored if it is damaged. */
function open({ path, migrations, application, suspect }: Extract<WorkerRequest, { op: 'open' }>): {
	open: Open;
	restored: Restoration | undefined;
} {
	const name = basename(path);
	if (application === undefined)
		return { open: { database: openDatabase(path, { migrations }), prepared: new Map(), name }, restored: undefined };
	makeFolder(dirname(path));
	const lock = takeProcessLock(`${path}.lock`, name);
	try {
		const { database, restored } = openOrRestore(path, { migrations, application }, suspect ?? false);
		return { open: { database, lock, prepared: new Map(), name }, restored };
	} catch (error) {
		lock.release();
		throw error;
	}
}

function openOrRestore(
	path: string,
	schema: FileSchema,
	suspect: boolean,
): { database: DatabaseSync; restored: Restoration | undefined } {
	try {
		if (suspect) throw new Damage('it was found damaged while in use');
		// SQLite takes a file that was truncated to nothing for a new one.
		if (existsSync(path) && statSync(path).size === 0 && backupsOf(path).length > 0) throw new Damage('it is empty');
		return { database: openDatabase(path, schema), restored: undefined };
	} catch (error) {
		const restored = isDamage(error) ? restore(path) : undefined;
		if (!restored) throw error;
		return { database: openDatabase(path, schema), restored };
	}
}

function close({ database, lock }: Open): void {
	database.close();
	lock?.release();
}

function run(target: Open, statements: readonly Statement[]): StatementOutcome[] {
	const [only] = statements;
	if (statements.length === 1 && !only!.many && only!.expect === undefined) return [runOne(target, only!)];
	return inTransaction(target.database, () => statements.map((statement) => runOne(target, statement)));
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
	if (expect !== undefined && outcome.changes !== expect)
		throw new Unexpected('Somebody else changed or removed it meanwhile');
	return outcome;
}

function prepare({ database, prepared }: Open, sql: string): Prepared {
	let found = prepared.get(sql);
	if (found) prepared.delete(sql);
	else {
		const statement = database.prepare(sql);
		found = { statement, returnsRows: statement.columns().length > 0 };
		if (prepared.size >= MAX_PREPARED) prepared.delete(prepared.keys().next().value!);
	}
	prepared.set(sql, found);
	return found;
}

/** Primary result codes (the low byte of SQLite's code) that blame the disk or the file, not the request. */
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

function describe(
	error: unknown,
	name = 'the database',
): { code?: ErrorCode; message: string; unique?: string; damaged?: boolean } {
	const { errcode, message } = error as { errcode?: number; message: string };
	if (error instanceof Damage) return { code: 'unavailable', message: `${name} is damaged: ${message}`, damaged: true };
	if (error instanceof Unexpected || error instanceof Closed) return { code: error.code, message };
	if (errcode === undefined) return { message };
	if (UNIQUE.includes(errcode)) {
		const [, index, columns] = UNIQUE_MESSAGE.exec(message) ?? [];
		return { code: 'conflict', message: 'It exists already', unique: index ?? columns ?? '' };
	}
	const trouble = TROUBLE[errcode & 0xff];
	return trouble ? { code: 'unavailable', message: `${name} ${trouble}`, damaged: isDamage(error) } : { message };
}
