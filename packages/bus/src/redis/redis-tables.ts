import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { backOff, pause } from '@crowdvision/service-kit/retry';
import type { Subscription } from '../bus.ts';
import { allOrNone } from './redis-append.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { RedisLive } from './redis-live.ts';

type Change = [key: string, value: string | null];

const LONGEST_PAUSE_MS = 2000;

/** Sets the value of a key in the hash `table` and tells it on the channel of the same name, in one transaction. */
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
 * Follows one table: listens first, then reads all of it, so that no change falls in between. What is heard while it
 * reads waits until it has read: a change may then be told twice, but none is overtaken by an older value for good.
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
	#heard: Change[] = [];

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

	/** Resolves when every present value was told. */
	async start(live: RedisLive): Promise<void> {
		const onMessage = (message: string) => this.#hear(message);
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

	#hear(message: string): void {
		if (this.#closing.signal.aborted) return;
		const change = JSON.parse(message) as Change;
		if (this.#reading) this.#heard.push(change);
		else this.#tell(change);
	}

	#readAll(): void {
		this.#readAgain = true;
		this.#reading ??= this.#readUntilCurrent().finally(() => {
			this.#reading = undefined;
		});
	}

	async #readUntilCurrent(): Promise<void> {
		for (let failures = 0; this.#readAgain && !this.#closing.signal.aborted; ) {
			this.#readAgain = false;
			this.#heard = [];
			try {
				const values = await this.#commands.run((redis) => redis.hgetall(this.#table));
				for (const key of [...this.#known]) if (!Object.hasOwn(values, key)) this.#tell([key, null]);
				for (const change of Object.entries(values)) this.#tell(change);
				this.#first.resolve();
			} catch (error) {
				this.#readAgain = true;
				if (failures === 0)
					this.#logger.warn({ err: error, table: this.#table }, 'a table could not be read: trying on');
				await pause(backOff(failures++, 50, LONGEST_PAUSE_MS), this.#closing.signal);
			}
		}
		for (const change of this.#heard.splice(0)) this.#tell(change);
	}

	#tell([key, value]: Change): void {
		if (this.#closing.signal.aborted) return;
		if (value === null) this.#known.delete(key);
		else this.#known.add(key);
		try {
			this.#handle(key, value);
		} catch (error) {
			this.#logger.error({ err: error, table: this.#table, key }, 'a watcher failed');
		}
	}
}
