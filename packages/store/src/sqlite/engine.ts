import { Worker } from 'node:worker_threads';
import { CrowdVisionError, type ErrorCode } from '@crowdvision/contracts';
import type { FileSchema } from './open.ts';
import type { SqlValue, Statement, StatementOutcome, WorkerReply, WorkerRequest, WorkerTask } from './protocol.ts';
import type { Restoration } from './restore.ts';

/**
 * One database. A promise resolves when its effect is on disk (WAL with synchronous=FULL). Requests run in the order in
 * which they were made.
 *
 * @throws CrowdVisionError `conflict` for a violated unique constraint, `unavailable` when the disk, the file or the
 * worker fails or too many requests are waiting; a plain Error for a mistake in the SQL.
 */
export interface SqliteDatabase {
	/** Resolves with the number of rows changed. */
	run(sql: string, params?: readonly SqlValue[]): Promise<number>;
	/** All rows; limit their number in the SQL. */
	all<Row>(sql: string, params?: readonly SqlValue[]): Promise<Row[]>;
	/** The first row, or undefined. */
	get<Row>(sql: string, params?: readonly SqlValue[]): Promise<Row | undefined>;
	/** Runs all statements or none, with one fsync. Resolves with their outcomes in order. */
	transaction(statements: readonly Statement[]): Promise<StatementOutcome[]>;
	/** Runs SQL without parameters, also several statements; not in a transaction. */
	exec(sql: string): Promise<void>;
	close(): Promise<void>;
}

/** A `conflict` that names the violated unique index, or its columns as `table.column`. */
export class UniqueViolation extends CrowdVisionError {
	readonly constraint: string;

	constructor(message: string, constraint: string) {
		super('conflict', message);
		this.constraint = constraint;
	}
}

/** An `unavailable` whose reason is that the file is not an intact database. */
export class DamagedFile extends CrowdVisionError {
	constructor(message: string) {
		super('unavailable', message);
	}
}

/**
 * SQLite for a whole process: all databases are used in one worker thread, so that a slow disk never stalls a socket.
 */
export interface Sqlite {
	/**
	 * Opens or creates a database, readable by this user only. `migrations[n]` takes its schema from version n to n + 1;
	 * only ever add to them.
	 * @throws as the database does; Error if a newer version of this program wrote it.
	 */
	open(path: string, migrations?: readonly string[]): Promise<SqliteDatabase>;
	/**
	 * Opens a file of the store: locks it against other processes, checks it, and restores it from its newest good backup
	 * if it is damaged. `suspect`: treat it as damaged without a check.
	 * @throws also Error naming the process that holds it, and DamagedFile without a good backup.
	 */
	openOwn(
		path: string,
		schema: FileSchema,
		suspect?: boolean,
	): Promise<{ database: SqliteDatabase; restored: Restoration | undefined }>;
	/** Ends what is under way, then closes every database and the worker. */
	close(): Promise<void>;
}

/** Requests that may wait at once. */
const MAX_WAITING = 1000;
const ANSWER_TIMEOUT_MS = 30_000;
/** Long enough to copy a backup, which opening may have to do. */
const OPEN_TIMEOUT_MS = 600_000;
const CLOSE_TIMEOUT_MS = 5000;
/** SQLite's pages are outside this heap. */
const HEAP = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8, stackSizeMb: 1 };

interface Waiting {
	resolve(outcomes: StatementOutcome[]): void;
	reject(error: Error): void;
	timer: NodeJS.Timeout;
}

/** Starts the worker thread. */
export function startSqlite(): Sqlite {
	return new Engine();
}

class Engine implements Sqlite {
	readonly #waiting = new Map<number, Waiting>();
	/** The open databases, to open them again in the next worker if this one dies. */
	readonly #opened = new Map<number, WorkerTask>();
	#worker: Worker | undefined = this.#start();
	#lastId = 0;
	#lastDb = 0;
	#closing: Promise<void> | undefined;

	async open(path: string, migrations: readonly string[] = []): Promise<SqliteDatabase> {
		return (await this.#open({ path, migrations })).database;
	}

	openOwn(
		path: string,
		schema: FileSchema,
		suspect = false,
	): Promise<{ database: SqliteDatabase; restored: Restoration | undefined }> {
		return this.#open({ path, ...schema, suspect });
	}

	async #open({ suspect = false, ...file }: FileSchema & { path: string; suspect?: boolean }) {
		const db = ++this.#lastDb;
		const task: WorkerTask = { op: 'open', db, ...file };
		const [outcome] = await this.#ask({ ...task, suspect }, OPEN_TIMEOUT_MS);
		this.#opened.set(db, task);
		return { database: this.#database(db), restored: outcome?.rows[0] as Restoration | undefined };
	}

	#database(db: number): SqliteDatabase {
		const run = (sql: string, params: readonly SqlValue[] = []) =>
			this.#ask({ op: 'run', db, statements: [{ sql, params }] });
		return {
			run: async (sql, params) => (await run(sql, params))[0]!.changes,
			all: async <Row>(sql: string, params?: readonly SqlValue[]) => (await run(sql, params))[0]!.rows as Row[],
			get: async <Row>(sql: string, params?: readonly SqlValue[]) =>
				(await run(sql, params))[0]!.rows[0] as Row | undefined,
			transaction: async (statements) => (statements.length === 0 ? [] : this.#ask({ op: 'run', db, statements })),
			exec: async (sql) => {
				await this.#ask({ op: 'exec', db, sql });
			},
			close: async () => {
				if (!this.#opened.delete(db) || this.#closing) return;
				await this.#ask({ op: 'close', db });
			},
		};
	}

	close(): Promise<void> {
		this.#closing ??= this.#stop();
		return this.#closing;
	}

	async #stop(): Promise<void> {
		const worker = this.#worker;
		if (!worker) return;
		const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
		const force = setTimeout(() => void worker.terminate(), CLOSE_TIMEOUT_MS);
		// A worker that has died meanwhile has nothing to close.
		await this.#send(worker, { op: 'stop' }).catch(() => {});
		await exited;
		clearTimeout(force);
	}

	#ask(task: WorkerTask, timeoutMs = ANSWER_TIMEOUT_MS): Promise<StatementOutcome[]> {
		if (this.#closing) return Promise.reject(new CrowdVisionError('unavailable', 'The store is closing'));
		if (this.#waiting.size >= MAX_WAITING) {
			return Promise.reject(new CrowdVisionError('unavailable', 'The store has too many requests waiting', {}, 1));
		}
		this.#worker ??= this.#restart();
		return this.#send(this.#worker, task, timeoutMs);
	}

	#send(worker: Worker, task: WorkerTask, timeoutMs = ANSWER_TIMEOUT_MS): Promise<StatementOutcome[]> {
		return new Promise((resolve, reject) => {
			const id = ++this.#lastId;
			const timer = setTimeout(() => {
				this.#waiting.delete(id);
				reject(new CrowdVisionError('unavailable', `The store did not answer within ${timeoutMs / 1000} s`));
			}, timeoutMs);
			this.#waiting.set(id, { resolve, reject, timer });
			const request: WorkerRequest = { ...task, id };
			worker.postMessage(request);
		});
	}

	#start(): Worker {
		const worker = new Worker(new URL('./worker.ts', import.meta.url), { name: 'sqlite', resourceLimits: HEAP });
		worker.on('message', (reply: WorkerReply) => this.#settle(reply));
		// Without a listener the worker's error would end the process; `exit` follows and rejects the waiting requests.
		worker.on('error', () => {});
		worker.once('exit', () => {
			if (this.#worker === worker) this.#worker = undefined;
			this.#abandon();
		});
		return worker;
	}

	#restart(): Worker {
		const worker = this.#start();
		for (const task of this.#opened.values()) this.#send(worker, task).catch(() => {});
		return worker;
	}

	#settle(reply: WorkerReply): void {
		const waiting = this.#waiting.get(reply.id);
		if (!waiting) return;
		this.#waiting.delete(reply.id);
		clearTimeout(waiting.timer);
		if (reply.ok) waiting.resolve(reply.outcomes);
		else waiting.reject(errorOf(reply.error));
	}

	#abandon(): void {
		for (const { reject, timer } of this.#waiting.values()) {
			clearTimeout(timer);
			reject(new CrowdVisionError('unavailable', "The store's worker ended: the last change may or may not be stored"));
		}
		this.#waiting.clear();
	}
}

function errorOf({
	code,
	message,
	unique,
	damaged,
}: {
	code?: ErrorCode;
	message: string;
	unique?: string;
	damaged?: boolean;
}): Error {
	if (damaged) return new DamagedFile(message);
	if (unique !== undefined) return new UniqueViolation(message, unique);
	return code ? new CrowdVisionError(code, message) : new Error(message);
}
