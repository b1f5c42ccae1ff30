import { STREAMS } from '@crowdvision/contracts';
import type { Cursor, Log } from '@crowdvision/log';
import { backOff, type Logger, pause } from '@crowdvision/service-kit';
import { Redis } from 'ioredis';

/**
 * One batch in one transaction: the readings, their announcements and the cursor. The cursor must stand where the batch begins, so a
 * batch that was sent twice, or runs late on a connection given up, does nothing the second time.
 * KEYS: stream, cursor. ARGV: log id, next offset expected ('' when there is no cursor), next offset after, readings separated by
 * newlines (JSON has none of its own), field. Returns the cursor as it stands.
 */
const APPEND = `
local log, next = unpack(redis.call('HMGET', KEYS[2], 'log', 'next'))
if ARGV[2] == '' then
  if log == ARGV[1] then return next end
elseif log ~= ARGV[1] or next ~= ARGV[2] then
  return {log or '', next or ''}
end
for reading in string.gmatch(ARGV[4], '[^\\n]+') do
  redis.call('XADD', KEYS[1], '*', ARGV[5], reading)
  redis.call('PUBLISH', 'telemetry:' .. string.match(reading, '"buildingId":"([^"]*)"'), reading)
end
redis.call('HSET', KEYS[2], 'log', ARGV[1], 'next', ARGV[3])
return ARGV[3]`;

const BATCH_RECORDS = 1000;
const BATCH_BYTES = 512 * 1024;
const COMMAND_TIMEOUT_MS = 10_000;
const NEWLINE = Buffer.from('\n');
const TRIM_EVERY_RECORDS = 10_000;

export interface RelayParts {
	log: Log;
	url: string;
	gatewayId: string;
	field: string;
	logger: Logger;
	/** Keeps the stream within its bound; resolves with the group that is in the way, if one is. */
	trim: (redis: Redis) => Promise<{ blockedBy?: string }>;
}

/**
 * The cursor on the log that appends to Redis, each reading exactly once: where it stands is kept in Redis, moves in the same
 * transaction as the readings, and is asked for after every reconnect.
 */
export class Relay {
	readonly #parts: RelayParts;
	readonly #cursor: Cursor;
	readonly #stopping = new AbortController();
	readonly #cursorKey: string;
	#running: Promise<void> = Promise.resolve();
	#trouble: string | undefined = 'Redis: not connected yet';
	#delivered = 0;
	#lost = 0;

	constructor(parts: RelayParts) {
		this.#parts = parts;
		this.#cursor = parts.log.cursor('relay');
		// The hash tag puts the cursor beside the stream in a Redis Cluster, where a transaction must stay on one node.
		this.#cursorKey = `{${STREAMS.telemetry}}:cursor:${parts.gatewayId}`;
	}

	start(): void {
		this.#running = this.#run();
	}

	/** Ends after the batch under way. */
	async stop(): Promise<void> {
		this.#stopping.abort();
		await this.#running;
	}

	trouble(): string | undefined {
		return this.#trouble;
	}

	/** Readings in the log that Redis does not have yet, readings delivered, and readings it was told are lost from the log. */
	stats(): { lag: number; delivered: number; lost: number } {
		return { lag: Math.max(0, this.#parts.log.endOffset - this.#cursor.position), delivered: this.#delivered, lost: this.#lost };
	}

	async #run(): Promise<void> {
		const { signal } = this.#stopping;
		for (let failures = 0; !signal.aborted; ) {
			const redis = new Redis(this.#parts.url, {
				lazyConnect: true,
				retryStrategy: () => null,
				maxRetriesPerRequest: 0,
				enableOfflineQueue: false,
				connectTimeout: 5000,
				commandTimeout: COMMAND_TIMEOUT_MS,
			});
			redis.on('error', () => undefined);
			try {
				await redis.connect();
				await this.#relay(redis, () => {
					failures = 0;
				});
			} catch (error) {
				const trouble = `Redis: ${(error as Error).message}`;
				if (this.#trouble !== trouble) this.#parts.logger.warn({ err: (error as Error).message }, 'relay: waiting for Redis');
				this.#trouble = trouble;
				redis.disconnect();
				await pause(backOff(failures++, 100, 5000), signal);
			} finally {
				redis.disconnect();
			}
		}
	}

	/** Until the connection fails or the relay is stopped. */
	async #relay(redis: Redis, onProgress: () => void): Promise<void> {
		const { log, logger } = this.#parts;
		const { signal } = this.#stopping;
		let { next, expected } = await this.#whereRedisIs(redis);
		logger.info({ next }, 'relay: connected');
		let sinceTrim = TRIM_EVERY_RECORDS;
		while (!signal.aborted) {
			if (sinceTrim >= TRIM_EVERY_RECORDS && (await this.#makeRoom(redis))) sinceTrim = 0;
			this.#trouble = undefined;
			const read = await log.read(next, { maxRecords: BATCH_RECORDS, maxBytes: BATCH_BYTES });
			for (const gap of read.gaps) {
				this.#lost += gap.to - gap.from + 1;
				logger.error({ gap }, 'relay: readings are lost from the log');
			}
			if (read.records.length === 0) {
				if (read.next > next) next = read.next;
				else await log.waitFor(next, signal);
				continue;
			}
			const readings = Buffer.concat(read.records.flatMap(({ payload }) => [payload, NEWLINE]));
			const answer: unknown = await redis.eval(
				APPEND,
				2,
				STREAMS.telemetry,
				this.#cursorKey,
				log.id,
				expected,
				String(read.next),
				readings,
				this.#parts.field,
			);
			if (answer !== String(read.next)) {
				logger.warn({ answer }, 'relay: the cursor in Redis is elsewhere; going on from there');
				({ next, expected } = await this.#whereRedisIs(redis));
				continue;
			}
			next = read.next;
			expected = String(next);
			this.#delivered += read.records.length;
			sinceTrim += read.records.length;
			this.#cursor.commit(next);
			onProgress();
		}
	}

	/** A Redis that holds no cursor, or one of another log, gets everything this log still holds: consumers know readings by their id. */
	async #whereRedisIs(redis: Redis): Promise<{ next: number; expected: string }> {
		const [log, next] = await redis.hmget(this.#cursorKey, 'log', 'next');
		if (log === this.#parts.log.id && next) return { next: Number(next), expected: next };
		if (log) await redis.hdel(this.#cursorKey, 'log', 'next');
		return { next: this.#parts.log.startOffset, expected: '' };
	}

	/** True when the stream has room. While a group is too far behind, the readings wait in our log, whose bound the operator chose. */
	async #makeRoom(redis: Redis): Promise<boolean> {
		for (let attempt = 0; !this.#stopping.signal.aborted; attempt++) {
			const { blockedBy } = await this.#parts.trim(redis);
			if (blockedBy === undefined) return true;
			this.#trouble = `Redis: the stream is full, group ${blockedBy} is behind`;
			await pause(backOff(attempt, 200, 5000), this.#stopping.signal);
		}
		return false;
	}
}
