import { basename } from 'node:path';
import { CrowdVisionError } from '@crowdvision/contracts';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { DamagedFile, type Sqlite, type SqliteDatabase } from './engine.ts';
import type { SqlValue, Statement, StatementOutcome } from './protocol.ts';
import type { Restoration } from './restore.ts';
import { APPLICATION_ID, MIGRATIONS } from './schema.ts';

/** How a database file of the store is opened. */
export interface SqliteFileOptions {
	engine: Sqlite;
	path: string;
	logger: PlainLogger;
	/** Prepares the database before it is used, and again when a backup has replaced it. */
	prepare(database: SqliteDatabase): Promise<void>;
}

/**
 * A database file of the store. When it is found damaged while in use it is set aside, replaced by its newest good
 * backup, and used again.
 */
export class SqliteFile implements SqliteDatabase {
	readonly #options: SqliteFileOptions;
	#database: SqliteDatabase | undefined;
	#recovering: Promise<void> | undefined;
	#trouble: string | undefined;
	#closed = false;

	constructor(options: SqliteFileOptions) {
		this.#options = options;
	}

	async open(suspect = false): Promise<void> {
		const { engine, path, prepare } = this.#options;
		const { database, restored } = await engine.openOwn(
			path,
			{ migrations: MIGRATIONS, application: APPLICATION_ID },
			suspect,
		);
		if (restored) this.#logRestored(restored);
		try {
			await prepare(database);
		} catch (error) {
			await database.close().catch(() => {});
			throw error;
		}
		this.#database = database;
	}

	/** Why the file cannot be used; undefined when it can. */
	get trouble(): string | undefined {
		return this.#trouble;
	}

	/** Call it when the file is found damaged: every request is refused until a backup has replaced it. */
	recover(): Promise<void> {
		this.#recovering ??= this.#recover().finally(() => {
			this.#recovering = undefined;
		});
		return this.#recovering;
	}

	run(sql: string, params?: readonly SqlValue[]): Promise<number> {
		return this.#with((database) => database.run(sql, params));
	}

	all<Row>(sql: string, params?: readonly SqlValue[]): Promise<Row[]> {
		return this.#with((database) => database.all<Row>(sql, params));
	}

	get<Row>(sql: string, params?: readonly SqlValue[]): Promise<Row | undefined> {
		return this.#with((database) => database.get<Row>(sql, params));
	}

	transaction(statements: readonly Statement[]): Promise<StatementOutcome[]> {
		return this.#with((database) => database.transaction(statements));
	}

	exec(sql: string): Promise<void> {
		return this.#with((database) => database.exec(sql));
	}

	async close(): Promise<void> {
		this.#closed = true;
		await this.#recovering;
		await this.#database?.close();
	}

	async #with<T>(use: (database: SqliteDatabase) => Promise<T>): Promise<T> {
		if (this.#recovering || this.#trouble)
			throw new CrowdVisionError('unavailable', this.#trouble ?? this.#damaged(), {}, 1);
		try {
			return await use(this.#database!);
		} catch (error) {
			if (error instanceof DamagedFile && !this.#closed) void this.recover();
			throw error;
		}
	}

	async #recover(): Promise<void> {
		const { logger } = this.#options;
		try {
			await this.#database?.close().catch(() => {});
			await this.open(true);
			this.#trouble = undefined;
		} catch (error) {
			this.#trouble = `${this.#damaged()}, and cannot be restored: ${(error as Error).message}`;
			logger.error({ err: error, file: basename(this.#options.path) }, 'store: DAMAGED and cannot be restored');
		}
	}

	#damaged(): string {
		return `${basename(this.#options.path)} is damaged`;
	}

	#logRestored(restored: Restoration): void {
		this.#options.logger.error(
			{ ...restored, file: basename(this.#options.path) },
			'store: DAMAGED and set aside; its newest good backup replaced it, and what was written since is lost',
		);
	}
}
