import { basename } from 'node:path';
import { CrowdVisionError } from '@crowdvision/contracts';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { DamagedFile, type Sqlite, type SqliteDatabase } from './sqlite.ts';
import type { SqlValue, Statement, StatementOutcome } from './sqlite-protocol.ts';
import type { Restoration } from './sqlite-restore.ts';
import { APPLICATION_ID, MIGRATIONS } from './sqlite-schema.ts';

export interface SqliteFileOptions {
	engine: Sqlite;
	path: string;
	logger: PlainLogger;
	/** What has to be done to the file before it is used; again when a backup took its place. */
	prepare(database: SqliteDatabase): Promise<void>;
}

/**
 * A database of ours that is found damaged while it is in use is set aside; its newest good backup takes its place, and
 * it goes on.
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
		if (restored) this.#tell(restored);
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

	/** Says that the file is damaged: until a backup has taken its place, every request is refused. */
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
			logger.error({ err: error, file: basename(this.#options.path) }, 'store: is damaged and cannot be restored');
		}
	}

	#damaged(): string {
		return `${basename(this.#options.path)} is damaged`;
	}

	#tell(restored: Restoration): void {
		this.#options.logger.error(
			{ ...restored, file: basename(this.#options.path) },
			'store: DAMAGED, set aside; its newest good backup took its place, and what was written since is lost',
		);
	}
}
