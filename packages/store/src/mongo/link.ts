/** The connections of a process to MongoDB. */
import { CrowdVisionError } from '@crowdvision/contracts';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { keepTrying, waitAtMost } from '@crowdvision/service-kit/retry';
import { type Connection, type ConnectOptions, createConnection, type mongo } from 'mongoose';
import { AbandonedTransactions } from './abandoned-transactions.ts';
import { addressOf, type MongoAddress } from './address.ts';
import { hasLabel, notNow, refusedUser, storeError } from './errors.ts';
import { ensureReplicaSet, withConnection } from './replica-set.ts';

/** Sent with every request: how long the server may work on it. */
export const MAX_TIME = { maxTimeMS: 10_000 };
const MAX_WAITING = 1000;
const CLOSE_TIMEOUT_MS = 5000;
const TROUBLE_TIMEOUT_MS = 1500;
const TRANSACTION_TIMEOUT_MS = 10_000;
/** A request that takes longer than this may be waiting for an abandoned transaction. */
const SEARCH_EVERY_MS = 1000;

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
	// Undefined fields are left out, as JSON does.
	ignoreUndefined: true,
	autoIndex: false,
	autoCreate: false,
	bufferCommands: false,
};
/** For creating indexes, which may take minutes. */
const PREPARING: ConnectOptions = { ...OPTIONS, socketTimeoutMS: 10 * 60_000, maxPoolSize: 2 };

export interface MongoLinkOptions {
	url: string;
	logger: PlainLogger;
	/** How long the start waits for a server that cannot be reached, in ms. */
	startPatienceMs: number;
}

/** The use of the connections by one store; it may be closed while other stores go on. */
export interface MongoAccess {
	/** Runs `work`. @throws CrowdVisionError `unavailable` when the server is away or too many requests are waiting. */
	run<T>(work: (database: mongo.Db) => Promise<T>): Promise<T>;
	/** Runs `work` in one transaction, and repeats it within a bound when it collides with another transaction. */
	transaction<T>(work: (database: mongo.Db, session: mongo.ClientSession) => Promise<T>): Promise<T>;
}

const closed = () => new CrowdVisionError('unavailable', 'The store is closed');

/**
 * The connections of a process to MongoDB. They reconnect by themselves; the time of every request and the number of
 * waiting requests are bounded.
 */
export class MongoLink implements MongoAccess {
	readonly #options: MongoLinkOptions;
	readonly #address: MongoAddress;
	readonly #connecting: ConnectOptions;
	readonly #pending = new Set<Promise<unknown>>();
	readonly #closing = new AbortController();
	readonly #abandoned: AbandonedTransactions;
	#connection: Promise<Connection> | undefined;

	/** @throws Error if the URL is invalid; the message does not contain it. */
	constructor(options: MongoLinkOptions) {
		this.#options = options;
		this.#address = addressOf(options.url);
		this.#connecting = { ...OPTIONS, dbName: this.#address.database };
		this.#abandoned = new AbandonedTransactions(APP_NAME, options.logger);
	}

	async run<T>(work: (database: mongo.Db) => Promise<T>): Promise<T> {
		if (this.#closing.signal.aborted) throw closed();
		if (this.#pending.size >= MAX_WAITING)
			throw new CrowdVisionError('unavailable', 'The store has too many requests waiting', {}, 1);
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
		return this.run((database) =>
			keepTrying(() => tryTransaction(database, work), {
				what: 'a transaction',
				firstMs: 5,
				longestMs: 200,
				withinMs: TRANSACTION_TIMEOUT_MS,
				retryIf: (error) => hasLabel(error, 'TransientTransactionError'),
			}),
		);
	}

	/**
	 * Runs `work` on a separate connection whose requests may take minutes, once the server can be reached.
	 * @throws CrowdVisionError `unavailable` when the server stays away longer than the patience at the start; Error when
	 * it cannot be used at all.
	 */
	async prepare(work: (connection: Connection) => Promise<void>): Promise<void> {
		const { url, logger, startPatienceMs } = this.#options;
		const { hosts: host, database } = this.#address;
		const { signal } = this.#closing;
		if (signal.aborted) throw closed();
		const tryOnce = async () => {
			try {
				await ensureReplicaSet(url, this.#address, OPTIONS, logger);
				await withConnection(url, { ...PREPARING, dbName: database }, work);
				await this.#connect();
			} catch (error) {
				throw startError(error, host);
			}
		};
		await keepTrying(tryOnce, {
			what: 'connecting to MongoDB',
			signal,
			firstMs: 100,
			longestMs: 2000,
			withinMs: startPatienceMs,
			retryIf: (error) => error instanceof CrowdVisionError,
			logger,
			details: { host, patienceMs: startPatienceMs },
		});
	}

	/** The same access for one of several stores, which can be closed by itself. */
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

	/** Undefined when the server answers, else the reason for a person. */
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

	/** Waits a bounded time for the requests under way, then disconnects. */
	async close(): Promise<void> {
		this.#closing.abort();
		await waitAtMost(CLOSE_TIMEOUT_MS, Promise.allSettled([...this.#pending]));
		const connection = await this.#connection?.catch(() => undefined);
		await connection?.close();
	}

	async #watched<T>(connection: Connection, work: (database: mongo.Db) => Promise<T>): Promise<T> {
		const search = setInterval(() => this.#abandoned.end(connection.getClient()), SEARCH_EVERY_MS);
		try {
			return await work(connection.db!);
		} finally {
			clearInterval(search);
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
			logger.warn({ host }, 'MongoDB cannot be reached; trying again');
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

async function tryTransaction<T>(
	database: mongo.Db,
	work: (database: mongo.Db, session: mongo.ClientSession) => Promise<T>,
): Promise<T> {
	const session = database.client.startSession();
	try {
		session.startTransaction({
			readConcern: { level: 'snapshot' },
			writeConcern: OPTIONS.writeConcern!,
			maxCommitTimeMS: MAX_TIME.maxTimeMS,
		});
		const result = await work(database, session);
		await keepTrying(() => session.commitTransaction(), {
			what: 'a commit',
			firstMs: 20,
			longestMs: 500,
			withinMs: TRANSACTION_TIMEOUT_MS,
			retryIf: (error) => hasLabel(error, 'UnknownTransactionCommitResult'),
		});
		return result;
	} catch (error) {
		await session.abortTransaction().catch(() => {});
		throw error;
	} finally {
		await session.endSession();
	}
}

/** The error of a failed start: CrowdVisionError `unavailable` when trying again may help, else Error. */
function startError(error: unknown, hosts: string): unknown {
	const refused = refusedUser(error);
	if (refused) return new Error(`MongoDB at ${hosts} ${refused}`);
	const trouble = notNow(error) ?? (error instanceof CrowdVisionError ? 'has no primary' : undefined);
	if (trouble === undefined) return withoutUrl(error);
	return new CrowdVisionError('unavailable', `MongoDB at ${hosts} ${trouble}`, {}, 1);
}

/** The error without a message of the driver that may contain the connection string. */
function withoutUrl(error: unknown): unknown {
	const name = (error as Error)?.name ?? '';
	return /Parse|InvalidArgument|URI/.test(name)
		? new Error('MONGO_URL is not a connection string that the MongoDB driver accepts')
		: error;
}
