/** The bus on Redis: streams for what must arrive, channels for what is announced. */
import { CrowdVisionError, STREAM_FIELDS, type StreamName, type TableName } from '@crowdvision/contracts';
import { NO_LOGGER, type PlainLogger } from '@crowdvision/service-kit/plain-logger';
import {
	type Bus,
	type BusEntry,
	type ConsumeOptions,
	type DeadLetter,
	type Position,
	START,
	type Subscription,
	type TailGap,
} from '../bus.ts';
import { withDefaults } from '../consume-options.ts';
import { Subscriptions } from '../subscriptions.ts';
import { RedisAppender } from './append.ts';
import { isRedisError, RedisConnection } from './connection.ts';
import { RedisConsumer } from './consumer.ts';
import { deadKey, deadLetterOf, type RawEntry } from './entries.ts';
import { compareIds } from './ids.ts';
import { RedisLive } from './live.ts';
import { RedisTableWatch, retainInRedis } from './tables.ts';
import { RedisTail, streamInfoOf } from './tail.ts';
import type { TrimBounds } from './trim.ts';

/** How the bus on Redis is opened. */
export interface RedisBusOptions {
	/** `redis:` or `rediss:`. */
	url: string;
	logger?: PlainLogger;
	/** Prefix of every key and channel. Default none, so that the names are those of the contract. */
	keyPrefix?: string;
	/** How long a command may wait for the connection, and then for its reply, in ms. Default 3 s. */
	timeoutMs?: number;
	trim?: TrimBounds;
}

const TIMEOUT_MS = 3000;
const LONGEST_BLOCK_MS = 5000;
const TROUBLE_MS = 800;

/**
 * The bus on Redis 6.2 or newer: streams and consumer groups, PUBLISH, hashes. Positions are stream ids.
 *
 *   append, ack, retain, announce ─▶ one connection for commands
 *   consume, tail                 ─▶ one connection each, since they block
 *   listen, watch                 ─▶ one connection for all subscriptions
 *
 * An append is as durable as Redis: `appendfsync always` survives kill -9, the default `everysec` may lose a second. An
 * append whose connection breaks rejects, although Redis may have stored it: either all of it or none.
 */
export class RedisBus implements Bus {
	readonly #url: string;
	readonly #prefix: string;
	readonly #logger: PlainLogger;
	readonly #timeoutMs: number;
	readonly #trim: TrimBounds | undefined;
	readonly #commands: RedisConnection;
	readonly #live: RedisLive;
	readonly #appenders = new Map<StreamName, RedisAppender>();
	readonly #subscriptions = new Subscriptions();

	constructor({ url, logger = NO_LOGGER, keyPrefix = '', timeoutMs = TIMEOUT_MS, trim }: RedisBusOptions) {
		this.#url = url;
		this.#prefix = keyPrefix;
		this.#logger = logger;
		this.#timeoutMs = timeoutMs;
		this.#trim = trim;
		this.#commands = new RedisConnection({ url, name: 'commands', timeoutMs, logger });
		this.#live = new RedisLive({ url, timeoutMs, logger });
	}

	async append(stream: StreamName, entries: readonly string[]): Promise<Position[]> {
		return this.#appender(stream).append(entries);
	}

	async appendOnce(stream: StreamName, key: string, entry: string): Promise<boolean> {
		return this.#appender(stream).appendOnce(key, entry);
	}

	async consume(
		stream: StreamName,
		group: string,
		options: ConsumeOptions,
		handle: (entries: BusEntry[]) => Promise<void>,
	): Promise<Subscription> {
		if (options.from !== undefined) compareIds(options.from, START);
		const full = withDefaults(options);
		const blockMs = Math.max(10, Math.min(LONGEST_BLOCK_MS, Math.floor(full.claimAfterMs / 2)));
		const consumer = new RedisConsumer({
			commands: this.#commands,
			reads: this.#connect(`consumer:${group}`, blockMs),
			blockMs,
			key: this.#key(stream),
			field: STREAM_FIELDS[stream],
			group,
			options: full,
			handle,
			logger: this.#logger,
		});
		return this.#begin(consumer, () => consumer.start());
	}

	async tail(
		stream: StreamName,
		from: Position | 'end',
		handle: (entries: BusEntry[]) => void | Promise<void>,
		onGap?: (gap: TailGap) => void,
	): Promise<Subscription> {
		if (from !== 'end') compareIds(from, START);
		const tail = new RedisTail({
			reads: this.#connect(`tail:${stream}`, LONGEST_BLOCK_MS),
			blockMs: LONGEST_BLOCK_MS,
			key: this.#key(stream),
			field: STREAM_FIELDS[stream],
			handle,
			onGap,
			logger: this.#logger,
		});
		return this.#begin(tail, () => tail.start(from));
	}

	async position(stream: StreamName): Promise<Position> {
		try {
			const { last } = streamInfoOf(
				await this.#commands.run((redis) => redis.call('xinfo', 'stream', this.#key(stream))),
			);
			return compareIds(last, START) === 0 ? START : last;
		} catch (error) {
			if (isRedisError(error, 'ERR no such key')) return START;
			throw error;
		}
	}

	compare(a: Position, b: Position): number {
		return compareIds(a, b);
	}

	async deadLetters(stream: StreamName, limit = 100): Promise<DeadLetter[]> {
		const letters = await this.#commands.run((redis) =>
			redis.xrevrange(deadKey(this.#key(stream)), '+', '-', 'COUNT', limit),
		);
		return letters.map((raw) => deadLetterOf(raw as RawEntry));
	}

	async announce(channel: string, message: string): Promise<void> {
		await this.#commands.run((redis) => redis.publish(this.#key(channel), message));
	}

	async listen(channel: string, handle: (message: string) => void): Promise<Subscription> {
		this.#assertOpen();
		return this.#subscriptions.add(await this.#live.listen(this.#key(channel), handle));
	}

	retain(table: TableName, key: string, value: string | null): Promise<void> {
		return retainInRedis(this.#commands, this.#key(table), key, value);
	}

	watch(table: TableName, handle: (key: string, value: string | null) => void): Promise<Subscription> {
		const watch = new RedisTableWatch({
			commands: this.#commands,
			table: this.#key(table),
			handle,
			logger: this.#logger,
		});
		return this.#begin(watch, () => watch.start(this.#live));
	}

	trouble(): Promise<string | undefined> {
		return this.#commands.trouble(TROUBLE_MS);
	}

	async close(): Promise<void> {
		await this.#subscriptions.close();
		this.#live.close();
		this.#commands.close();
	}

	#appender(stream: StreamName): RedisAppender {
		let appender = this.#appenders.get(stream);
		if (!appender) {
			appender = new RedisAppender(this.#commands, this.#key(stream), STREAM_FIELDS[stream], this.#trim);
			this.#appenders.set(stream, appender);
		}
		return appender;
	}

	#key(name: string): string {
		return this.#prefix + name;
	}

	#connect(name: string, blockMs: number): RedisConnection {
		return new RedisConnection({ url: this.#url, name, timeoutMs: this.#timeoutMs, blockMs, logger: this.#logger });
	}

	/**
	 * Waits until a subscription has begun, but no longer than a command may take: if Redis is away the subscription
	 * begins once it is back.
	 */
	async #begin<T extends Subscription>(subscription: T, start: () => Promise<void>): Promise<Subscription> {
		this.#assertOpen();
		const tracked = this.#subscriptions.add(subscription);
		let timer: NodeJS.Timeout | undefined;
		const late = new Promise<void>((resolve) => {
			timer = setTimeout(resolve, this.#timeoutMs);
		});
		await Promise.race([start(), late]);
		clearTimeout(timer);
		return tracked;
	}

	#assertOpen(): void {
		if (this.#subscriptions.closed) throw new CrowdVisionError('unavailable', 'the bus was closed');
	}
}
