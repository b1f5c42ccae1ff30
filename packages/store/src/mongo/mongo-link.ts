import { CrowdVisionError } from '@crowdvision/contracts';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { backOff, pause, waitAtMost } from '@crowdvision/service-kit/retry';
import { type Connection, type ConnectOptions, createConnection, type mongo } from 'mongoose';
import { AbandonedTransactions } from './mongo-abandoned.ts';
import { hasLabel, notNow, refusedUser, storeError } from './mongo-errors.ts';
import { ensureReplicaSet, withConnection } from './mongo-server.ts';
import { addressOf, type MongoAddress } from './mongo-url.ts';

/** Longest that the server may work on one request; with every request. */
export const MAX_TIME = { maxTimeMS: 10_000 };
const MOST_WAITING = 1000;
const CLOSE_TIMEOUT_MS = 5000;
const TROUBLE_TIMEOUT_MS = 1500;
const TRANSACTION_TIMEOUT_MS = 10_000;
/** What takes longer than this may be waiting for a transaction that nobody goes on with. */
const LOOK_EVERY_MS = 1000;

const APP_NAME = 'crowdvision';
const OPTIONS: ConnectOptions = {
	appName: APP_NAME,
	serverSelectionTimeoutMS: 5000,
	connectTimeoutMS: 5000,
	socketTimeoutMS: 15_000,
	waitQueueTimeoutMS: 10_000,
	maxPoolSize: 20,
	writeConcern: { w: 'majority', j: true, wtimeoutMS: 10_000 },
	readConcern: { level: 'majority' },
	readPreference: 'primary',
	// Reading what was written needs the very values back.
	ignoreUndefined: true,
	autoIndex: false,
	autoCreate: false,
	bufferCommands: false,
};
/** To make indexes, which takes as long as it takes. */
const PREPARING: ConnectOptions = { ...OPTIONS, socketTimeoutMS: 10 * 60_000, maxPoolSize: 2 };

export interface MongoLinkOptions {
	url: string;
	logger: PlainLogger;
	/** How long a server that is away is waited for at the start. */
	startPatienceMs: number;
}

/** What one store needs of the connections; it may be closed while others go on. */
export interface MongoAccess {
	/** Does one piece of work. @throws CrowdVisionError `unavailable` where the server is away or too much is waiting. */
	run<T>(work: (database: mongo.Db) => Promise<T>): Promise<T>;
	/** Does `work` in one transaction, again where another one came in between, within a bound. */
	transaction<T>(work: (database: mongo.Db, session: mongo.ClientSession) => Promise<T>): Promise<T>;
}

const closed = () => new CrowdVisionError('unavailable', 'The store is closed');

/**
 * A process's connections to MongoDB: they come back by themselves, every request has a bound on its time, and so has
 * the number that waits.
 */
export class MongoLink implements MongoAccess {
	readonly #options: MongoLinkOptions;
	readonly #address: MongoAddress;
	readonly #connecting: ConnectOptions;
	readonly #pending = new Set<Promise<unknown>>();
	readonly #closing = new AbortController();
	readonly #abandoned: AbandonedTransactions;
	#connection: Promise<Connection> | undefined;

	/** @throws Error where the URL is none, without it. */
	constructor(options: MongoLinkOptions) {
		this.#options = options;
		this.#address = addressOf(options.url);
		this.#connecting = { ...OPTIONS, dbName: this.#address.database };
		this.#abandoned = new AbandonedTransactions(APP_NAME, options.logger);
	}

	async run<T>(work: (database: mongo.Db) => Promise<T>): Promise<T> {
		if (this.#closing.signal.aborted) throw closed();
		if (this.#pending.size >= MOST_WAITING)
			throw new CrowdVisionError('unavailable', 'The store has too much to do just now', {}, 1);
		const task = this.#connect().then((connection) => this.#watched(connection, work));
		this.#pending.add(task);
		try {
			return await task;
		} catch (error) {
			throw storeError(error);
		} finally {
			this.#pending.delete(task);
		}
	}

	transaction<T>(work: (database: mongo.Db, session: mongo.ClientSession) => Promise<T>): Promise<T> {
		return this.run(async (database) => {
			const until = performance.now() + TRANSACTION_TIMEOUT_MS;
			for (let attempt = 0; ; attempt++) {
				const session = database.client.startSession();
				try {
					session.startTransaction({
						readConcern: { level: 'snapshot' },
						writeConcern: OPTIONS.writeConcern!,
						maxCommitTimeMS: MAX_TIME.maxTimeMS,
					});
					const result = await work(database, session);
					await commit(session, until);
					return result;
				} catch (error) {
					await session.abortTransaction().catch(() => {});
					if (!hasLabel(error, 'TransientTransactionError') || performance.now() > until) throw error;
				} finally {
					await session.endSession();
				}
				await pause(backOff(attempt, 5, 200));
			}
		});
	}

	/**
	 * Does `work` on a connection of its own where requests may take minutes, when the server can be reached.
	 * @throws CrowdVisionError `unavailable` when it stays away longer than the patience at the start; Error for one that
	 * will not do.
	 */
	async prepare(work: (connection: Connection) => Promise<void>): Promise<void> {
		const { url, logger, startPatienceMs } = this.#options;
		const { hosts, database } = this.#address;
		const until = performance.now() + startPatienceMs;
		if (this.#closing.signal.aborted) throw closed();
		for (let attempt = 0; ; attempt++) {
			try {
				await ensureReplicaSet(url, this.#address, OPTIONS, logger);
				await withConnection(url, { ...PREPARING, dbName: database }, work);
				await this.#connect();
				return;
			} catch (error) {
				const refused = refusedUser(error);
				if (refused) throw new Error(`MongoDB at ${hosts} ${refused}`);
				const trouble = notNow(error) ?? (error instanceof CrowdVisionError ? 'has no primary' : undefined);
				if (trouble === undefined) throw sayable(error);
				const why = `MongoDB at ${hosts} ${trouble}`;
				if (this.#closing.signal.aborted || performance.now() > until)
					throw new CrowdVisionError('unavailable', why, {}, 1);
				if (attempt === 0)
					logger.warn({ host: hosts }, `${why}; trying again for ${Math.round(startPatienceMs / 1000)} s`);
				await pause(backOff(attempt, 100, 2000), this.#closing.signal);
			}
		}
	}

	/** The same for one of several stores, with an end of its own. */
	share(): MongoAccess & { close(): Promise<void> } {
		let isClosed = false;
		const pending = new Set<Promise<unknown>>();
		const track = async <T>(start: () => Promise<T>): Promise<T> => {
			if (isClosed) throw closed();
			const task = start();
			pending.add(task);
			try {
				return await task;
			} finally {
				pending.delete(task);
			}
		};
		return {
			run: (work) => track(() => this.run(work)),
			transaction: (work) => track(() => this.transaction(work)),
			close: async () => {
				isClosed = true;
				await waitAtMost(CLOSE_TIMEOUT_MS, Promise.allSettled([...pending]));
			},
		};
	}

	/** Undefined when it answers, else the reason. */
	async trouble(): Promise<string | undefined> {
		const { hosts } = this.#address;
		let reason: string | undefined;
		const ping = this.run((database) => database.command({ ping: 1, maxTimeMS: 1000 })).catch((error: unknown) => {
			const trouble =
				error instanceof CrowdVisionError && !error.message.startsWith('The database') ? error.message : undefined;
			reason = trouble ?? `MongoDB at ${hosts} cannot be reached`;
		});
		return (await waitAtMost(TROUBLE_TIMEOUT_MS, ping)) ? reason : `MongoDB at ${hosts} does not answer`;
	}

	/** Lets what is under way end, within a bound, then disconnects. */
	async close(): Promise<void> {
		this.#closing.abort();
		await waitAtMost(CLOSE_TIMEOUT_MS, Promise.allSettled([...this.#pending]));
		const connection = await this.#connection?.catch(() => undefined);
		await connection?.close();
	}

	async #watched<T>(connection: Connection, work: (database: mongo.Db) => Promise<T>): Promise<T> {
		const look = setInterval(() => this.#abandoned.end(connection.getClient()), LOOK_EVERY_MS);
		try {
			return await work(connection.db!);
		} finally {
			clearInterval(look);
		}
	}

	#connect(): Promise<Connection> {
		this.#connection ??= this.#open().catch((error) => {
			this.#connection = undefined;
			throw error;
		});
		return this.#connection;
	}

	async #open(): Promise<Connection> {
		const { url, logger } = this.#options;
		const host = this.#address.hosts;
		const connection = createConnection();
		let away = false;
		connection.on('disconnected', () => {
			if (this.#closing.signal.aborted || away) return;
			away = true;
			logger.warn({ host }, 'MongoDB cannot be reached; trying on');
		});
		connection.on('connected', () => {
			if (away) logger.info({ host }, 'MongoDB is back');
			away = false;
		});
		connection.on('error', () => {});
		try {
			return await connection.openUri(url, this.#connecting);
		} catch (error) {
			await connection.close().catch(() => {});
			throw error;
		}
	}
}

async function commit(session: mongo.ClientSession, until: number): Promise<void> {
	for (let attempt = 0; ; attempt++) {
		try {
			await session.commitTransaction();
			return;
		} catch (error) {
			if (!hasLabel(error, 'UnknownTransactionCommitResult') || performance.now() > until) throw error;
		}
		await pause(backOff(attempt, 20, 500));
	}
}

/** What the driver says of a connection string may hold all of it. */
function sayable(error: unknown): unknown {
	const name = (error as Error)?.name ?? '';
	return /Parse|InvalidArgument|URI/.test(name)
		? new Error('MONGO_URL is not a connection string of MongoDB that its driver takes')
		: error;
}
