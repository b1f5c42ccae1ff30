import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { keepTrying } from '@crowdvision/service-kit/retry';
import type { Subscription } from '../bus.ts';
import { allOrNone } from './append.ts';
import type { RedisConnection } from './connection.ts';
import type { RedisLive } from './live.ts';

type Change = [key: string, value: string | null];

/** Sets a key of the hash `table` and publishes the change on the channel of the same name, in one transaction. */
export async function retainInRedis(
	redis: RedisConnection,
	table: string,
	key: string,
	value: string | null,
): Promise<void> {
	const change: Change = [key, value];
	await redis.run((client) => {
		const transaction = client.multi();
		if (value === null) transaction.hdel(table, key);
		else transaction.hset(table, key, value);
		return transaction.publish(table, JSON.stringify(change)).exec().then(allOrNone);
	});
}

/**
 * Watches one table: subscribes first, then reads the whole hash, so that no change is missed in between. Changes
 * received while it reads wait until it has read: a change may be reported twice, but an older value never has the last
 * word.
 */
export class RedisTableWatch implements Subscription {
	readonly #commands: RedisConnection;
	readonly #table: string;
	readonly #handle: (key: string, value: string | null) => void;
	readonly #logger: PlainLogger;
	readonly #closing = new AbortController();
	readonly #first = Promise.withResolvers<void>();
	readonly #known = new Set<string>();
	#listening: Promise<Subscription> | undefined;
	#reading: Promise<void> | undefined;
	#readAgain = false;
	/** Changes received while the hash is being read. */
	#received: Change[] = [];

	constructor(parts: {
		commands: RedisConnection;
		table: string;
		handle: (key: string, value: string | null) => void;
		logger: PlainLogger;
	}) {
		this.#commands = parts.commands;
		this.#table = parts.table;
		this.#handle = parts.handle;
		this.#logger = parts.logger;
	}

	/** Resolves when every present value was reported. */
	async start(live: RedisLive): Promise<void> {
		const onMessage = (message: string) => this.#onMessage(message);
		this.#listening = live.listen(this.#table, onMessage, () => this.#readAll());
		await this.#listening;
		this.#readAll();
		await this.#first.promise;
	}

	async close(): Promise<void> {
		this.#closing.abort();
		this.#first.resolve();
		await (await this.#listening)?.close();
		await this.#reading;
	}

	#onMessage(message: string): void {
		if (this.#closing.signal.aborted) return;
		const change = JSON.parse(message) as Change;
		if (this.#reading) this.#received.push(change);
		else this.#report(change);
	}

	#readAll(): void {
		this.#readAgain = true;
		this.#reading ??= this.#readUntilCurrent().finally(() => {
			this.#reading = undefined;
		});
	}

	async #readUntilCurrent(): Promise<void> {
		const { signal } = this.#closing;
		const read = async () => {
			this.#readAgain = false;
			this.#received = [];
			const values = await this.#commands.run((redis) => redis.hgetall(this.#table));
			for (const key of [...this.#known]) if (!Object.hasOwn(values, key)) this.#report([key, null]);
			for (const change of Object.entries(values)) this.#report(change);
			this.#first.resolve();
		};
		const options = {
			what: 'reading the table',
			signal,
			firstMs: 50,
			longestMs: 2000,
			logger: this.#logger,
			details: { table: this.#table },
		};
		// It rejects only when the watch closes.
		while (this.#readAgain && !signal.aborted) await keepTrying(read, options).catch(() => undefined);
		for (const change of this.#received.splice(0)) this.#report(change);
	}

	#report([key, value]: Change): void {
		if (this.#closing.signal.aborted) return;
		if (value === null) this.#known.delete(key);
		else this.#known.add(key);
		try {
			this.#handle(key, value);
		} catch (error) {
			this.#logger.error({ err: error, table: this.#table, key }, 'a watcher threw an error');
		}
	}
}
