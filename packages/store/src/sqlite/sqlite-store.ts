/** The store on SQLite files. */
import { join } from 'node:path';
import { CrowdVisionError } from '@crowdvision/contracts';
import { SerialQueue } from '@crowdvision/service-kit/concurrency';
import { NO_LOGGER, type PlainLogger } from '@crowdvision/service-kit/plain-logger';
import type { Collection, Readings, Store, StoreDefinition, Stores, Write } from '../store.ts';
import { SqliteCollections } from './collections.ts';
import { startSqlite } from './engine.ts';
import { SqliteFile } from './file.ts';
import { SqliteReadings } from './readings.ts';
import { applyDefinitions } from './schema.ts';
import { Upkeep, type UpkeepOptions } from './upkeep.ts';

const NAME = /^[a-z][a-z0-9-]{0,39}$/;
const TROUBLE_TIMEOUT_MS = 1900;

export interface SqliteStoresOptions {
	/** Folder of the files; created if missing. */
	dir: string;
	logger?: PlainLogger;
	backups?: Partial<Pick<UpkeepOptions, 'keep' | 'everyMs' | 'firstMs'>>;
}

const BACKUPS = { keep: 3, everyMs: 24 * 3600_000, firstMs: 10_000 };
const MAX_STORES = 100;

/**
 * Stores as SQLite files, `<dir>/<name>.sqlite`, in one worker thread. A file belongs to one process at a time. Each
 * file is backed up to `<dir>/backups`, and a damaged one is replaced by its newest good backup.
 */
export function sqliteStores({ dir, logger = NO_LOGGER, backups }: SqliteStoresOptions): Stores {
	const engine = startSqlite();
	const queue = new SerialQueue(MAX_STORES);
	const open = new Map<string, SqliteStore | undefined>();
	return {
		open: async (name, definition) => {
			if (!NAME.test(name))
				throw new Error(`${JSON.stringify(name)} is not a valid name of a store: it must match ${NAME.source}`);
			if (open.has(name)) throw new Error(`the store ${name} is open already`);
			open.set(name, undefined);
			try {
				const path = join(dir, `${name}.sqlite`);
				const file = new SqliteFile({
					engine,
					path,
					logger,
					prepare: (database) => applyDefinitions(database, definition.collections),
				});
				await file.open();
				const upkeep = new Upkeep({ path, logger, queue, onDamage: () => void file.recover(), ...BACKUPS, ...backups });
				const store = new SqliteStore(file, upkeep, definition, () => open.delete(name));
				open.set(name, store);
				return store;
			} catch (error) {
				open.delete(name);
				throw error;
			}
		},
		close: async () => {
			await Promise.all([...open.values()].map((store) => store?.stopUpkeep()));
			await engine.close();
		},
	};
}

class SqliteStore implements Store {
	readonly #file: SqliteFile;
	readonly #upkeep: Upkeep;
	readonly #collections: SqliteCollections;
	readonly #readings: Readings | undefined;
	readonly #onClosed: () => void;

	constructor(file: SqliteFile, upkeep: Upkeep, definition: StoreDefinition, onClosed: () => void) {
		this.#file = file;
		this.#upkeep = upkeep;
		this.#collections = new SqliteCollections(file, definition.collections, () => void file.recover());
		if (definition.readings) this.#readings = new SqliteReadings(file, definition.readings);
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
		const answer = this.#file.get('SELECT n FROM commits').then(
			() => undefined,
			(error: unknown) => (error instanceof CrowdVisionError ? error.message : 'the store cannot be read'),
		);
		const reason = await Promise.race([answer, patience.promise]);
		clearTimeout(timer);
		return reason;
	}

	/** Aborts a backup that is under way. */
	async stopUpkeep(): Promise<void> {
		await this.#upkeep.close();
	}

	async close(): Promise<void> {
		await this.#upkeep.close();
		await this.#file.close();
		this.#onClosed();
	}
}
