import { NO_LOGGER, type PlainLogger } from '@crowdvision/service-kit/plain-logger';
import type { Connection } from 'mongoose';
import type { Collection, Readings, Store, StoreDefinition, Stores, Write } from '../store.ts';
import { MongoCollections } from './mongo-collections.ts';
import { MongoLink } from './mongo-link.ts';
import { MongoReadings } from './mongo-readings.ts';

const NAME = /^[a-z][a-z0-9-]{0,39}$/;
const COLLECTION = /^[A-Za-z][A-Za-z0-9_]{0,39}$/;

export interface MongoStoresOptions {
	/**
	 * A connection string; everything is kept in the database it names, `crowdvision` where it names none. May hold a
	 * password.
	 */
	url: string;
	logger?: PlainLogger;
	/** How long `open` waits for a server that is away. Default 30 s. */
	startPatienceMs?: number;
}

/**
 * Stores in one MongoDB database, the collections of each named `<store>.<collection>`. Several processes may open the
 * same.
 * @throws Error where the URL is no connection string of MongoDB.
 */
export function mongoStores({ url, logger = NO_LOGGER, startPatienceMs = 30_000 }: MongoStoresOptions): Stores {
	const link = new MongoLink({ url, logger, startPatienceMs });
	const open = new Set<string>();
	return {
		open: async (name, definition) => {
			if (!NAME.test(name))
				throw new Error(`${JSON.stringify(name)} is no name of a store: it must match ${NAME.source}`);
			for (const collection of Object.keys(definition.collections)) {
				if (!COLLECTION.test(collection) || collection === 'readings')
					throw new Error(`${JSON.stringify(collection)} is no name for a collection`);
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
