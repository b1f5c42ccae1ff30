import { join } from 'node:path';
import { CrowdVisionError } from '@crowdvision/contracts';
import type { StoreLogger } from './logger.ts';
import { type Sqlite, type SqliteDatabase, startSqlite } from './sqlite.ts';
import { SqliteCollections } from './sqlite-collections.ts';
import { SqliteReadings } from './sqlite-readings.ts';
import { APPLICATION_ID, applyDefinitions, MIGRATIONS } from './sqlite-schema.ts';
import type { Collection, Readings, Store, StoreDefinition, Stores, Write } from './store.ts';

const NAME = /^[a-z][a-z0-9-]{0,39}$/;
const TROUBLE_TIMEOUT_MS = 1900;

export interface SqliteStoresOptions {
	/** Folder of the files; made where it is not. */
	dir: string;
	logger?: StoreLogger;
}

/** Stores as SQLite files, `<dir>/<name>.sqlite`, in one worker thread. The files are this process's alone. */
export function sqliteStores({ dir }: SqliteStoresOptions): Stores {
	const engine = startSqlite();
	const open = new Set<string>();
	return {
		open: async (name, definition) => {
			if (!NAME.test(name)) throw new Error(`${JSON.stringify(name)} is no name of a store: it must match ${NAME.source}`);
			if (open.has(name)) throw new Error(`the store ${name} is open already`);
			open.add(name);
			try {
				return await openStore(engine, join(dir, `${name}.sqlite`), definition, () => open.delete(name));
			} catch (error) {
				open.delete(name);
				throw error;
			}
		},
		close: () => engine.close(),
	};
}

async function openStore(engine: Sqlite, path: string, definition: StoreDefinition, onClosed: () => void): Promise<Store> {
	const database = await engine.open(path, MIGRATIONS, APPLICATION_ID);
	try {
		await applyDefinitions(database, definition.collections);
	} catch (error) {
		await database.close().catch(() => {});
		throw error;
	}
	return new SqliteStore(database, definition, onClosed);
}

class SqliteStore implements Store {
	readonly #database: SqliteDatabase;
	readonly #collections: SqliteCollections;
	readonly #readings: Readings | undefined;
	readonly #onClosed: () => void;

	constructor(database: SqliteDatabase, definition: StoreDefinition, onClosed: () => void) {
		this.#database = database;
		this.#collections = new SqliteCollections(database, definition.collections);
		if (definition.readings) this.#readings = new SqliteReadings(database, definition.readings);
		this.#onClosed = onClosed;
	}

	get readings(): Readings {
		if (this.#readings) return this.#readings;
		throw new Error('the store was opened without readings');
	}

	collection<T extends object>(name: string): Collection<T> {
		return this.#collections.collection<T>(name);
	}

	async commit(writes: readonly Write[]): Promise<void> {
		await this.#collections.commit(writes);
	}

	async trouble(): Promise<string | undefined> {
		const patience = Promise.withResolvers<string>();
		const timer = setTimeout(() => patience.resolve('the store does not answer'), TROUBLE_TIMEOUT_MS);
		const answer = this.#database.get('SELECT n FROM commits').then(
			() => undefined,
			(error: unknown) => (error instanceof CrowdVisionError ? error.message : 'the store cannot be read'),
		);
		const reason = await Promise.race([answer, patience.promise]);
		clearTimeout(timer);
		return reason;
	}

	async close(): Promise<void> {
		await this.#database.close();
		this.#onClosed();
	}
}
