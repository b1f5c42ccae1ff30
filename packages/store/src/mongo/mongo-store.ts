import { NO_LOGGER, type PlainLogger } from '@crowdvision/service-kit/plain-logger';
import type { Connection } from 'mongoose';
import type { Collection, Readings, Store, StoreDefinition, Stores, Write } from '../store.ts';
import { MongoCollections } from './collections.ts';
import { MongoLink } from './link.ts';
import { MongoReadings } from './readings.ts';

const NAME = /^[a-z][a-z0-9-]{0,39}$/;
const COLLECTION = /^[A-Za-z][A-Za-z0-9_]{0,39}$/;

/** How the stores on MongoDB are opened. */
export interface MongoStoresOptions {
	/**
	 * A connection string. Everything is stored in the database it names, or in `crowdvision` if it names none. May
	 * contain a password.
	 */
	url: string;
	logger?: PlainLogger;
	/** How long `open` waits for a server that cannot be reached, in ms. Default 30 s. */
	startPatienceMs?: number;
}

/**
 * Stores in one MongoDB database, whose collections are named `<store>.<collection>`. Several processes may open the
 * same store.
 * @throws Error if the URL is not a MongoDB connection string.
 */
export function mongoStores({ url, logger = NO_LOGGER, startPatienceMs = 30_000 }: MongoStoresOptions): Stores {
	const link = new MongoLink({ url, logger, startPatienceMs });
	const open = new Set<string>();
	return {
		open: async (name, definition) => {
			if (!NAME.test(name))
				throw new Error(`${JSON.stringify(name)} is not a valid name of a store: it must match ${NAME.source}`);
			for (const collection of Object.keys(definition.collections)) {
				if (!COLLECTION.test(collection) || collection === 'readings')
					throw new Error(`${JSON.stringify(collection)} is not a valid name of a collection`);
			}
			if (open.has(name)) throw new Error(`the store ${name} is open already`);
			open.add(name);
			try {
				const store = new MongoStore(link, name, definition, () => open.delete(name));
				await link.prepare((connection) => store.prepare(connection));
				return store;
			} catch (error) {
				open.delete(name);
				throw error;
			}
		},
		close: () => link.close(),
	};
}

class MongoStore implements Store {
	readonly #link: MongoLink;
	readonly #access: ReturnType<MongoLink['share']>;
	readonly #collections: MongoCollections;
	readonly #readings: MongoReadings | undefined;
	readonly #onClosed: () => void;
	#closed = false;

	constructor(link: MongoLink, name: string, { collections, readings }: StoreDefinition, onClosed: () => void) {
		this.#link = link;
		this.#access = link.share();
		this.#collections = new MongoCollections(this.#access, name, collections);
		this.#readings = readings && new MongoReadings(this.#access, name, readings);
		this.#onClosed = onClosed;
	}

	async prepare(connection: Connection): Promise<void> {
		await this.#collections.prepare(connection);
		await this.#readings?.prepare(connection);
	}

	get readings(): Readings {
		if (!this.#readings) throw new Error('the store was opened without readings');
		return this.#readings;
	}

	collection<T extends object>(name: string): Collection<T> {
		return this.#collections.collection<T>(name);
	}

	async commit(writes: readonly Write[]): Promise<void> {
		await this.#collections.commit(writes);
	}

	async trouble(): Promise<string | undefined> {
		return this.#closed ? 'the store is closed' : this.#link.trouble();
	}

	async close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		await this.#access.close();
		this.#onClosed();
	}
}
