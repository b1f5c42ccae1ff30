import { GapMarker } from '@crowdvision/bus';
import { GAP_FIELD, STREAMS } from '@crowdvision/contracts';
import type { Cursor, Gap, Log } from '@crowdvision/log';
import { backOff, type Logger, pause, waitAtMost } from '@crowdvision/service-kit';
import { Redis } from 'ioredis';

/**
 * One batch in one transaction: the readings, their announcements and the cursor. The cursor must stand where the batch
 * begins, so a batch that was sent twice, or runs late on a connection given up, does nothing the second time. KEYS:
 * stream, cursor. ARGV: where the cursor must stand ('' when there is none yet), where it stands after, readings
 * separated by newlines (JSON has none of its own), field, what is missing before the first ('' where nothing is) and
 * the field of that. Returns the cursor as it stands.
 */
const APPEND = `
local next = redis.call('GET', KEYS[2]) or ''
if next ~= ARGV[1] then return next end
local gap = ARGV[5]
for reading in string.gmatch(ARGV[3], '[^\\n]+') do
  if gap == '' then redis.call('XADD', KEYS[1], '*', ARGV[4], reading)
  else redis.call('XADD', KEYS[1], '*', ARGV[4], reading, ARGV[6], gap) end
  gap = ''
  redis.call('PUBLISH', 'telemetry:' .. string.match(reading, '"buildingId":"([^"]*)"'), reading)
end
redis.call('SET', KEYS[2], ARGV[2])
return ARGV[2]`;

const BATCH_RECORDS = 1000;
const BATCH_BYTES = 512 * 1024;
const COMMAND_TIMEOUT_MS = 10_000;
/**
 * A batch under way when the relay is stopped may take so long; Redis then has it or not, and tells at the next start.
 */
const STOP_TIMEOUT_MS = 2_000;
const NEWLINE = Buffer.from('\n');
const TRIM_EVERY_RECORDS = 10_000;
const MOST_LOGGED = 5;

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
 * The cursor on the log that appends to Redis, each reading exactly once: where it stands is kept in Redis, moves in
 * the same transaction as the readings, and is asked for after every reconnect.
 */
export class Relay {
	readonly #parts: RelayParts;
	readonly #cursor: Cursor;
	readonly #stopping = new AbortController();
	readonly #cursorKey: string;
	#running: Promise<void> = Promise.resolve();
	#redis: Redis | undefined;
	#trouble: { reason: string; since: number } | undefined = { reason: 'Redis: not connected yet', since: Date.now() };
	#delivered = 0;
	#lost = 0;

	constructor(parts: RelayParts) {
		this.#parts = parts;
		this.#cursor = parts.log.cursor('relay');
		this.#cursor.account.begin(this.#cursor.position);
		// The hash tag puts the cursor beside the stream in a Redis Cluster, where a transaction must stay on one node. The
		// log's id keeps two gateways of the same name (every new Pi is called raspberrypi) from moving each other's
		// cursor.
		this.#cursorKey = `{${STREAMS.telemetry}}:cursor:${parts.gatewayId}:${parts.log.id}`;
	}

	start(): void {
		this.#running = this.#run();
	}

	/** Ends after the batch under way, or after two seconds where Redis does not answer. */
	async stop(): Promise<void> {
		this.#stopping.abort();
		if (!(await waitAtMost(STOP_TIMEOUT_MS, this.#running))) this.#redis?.disconnect();
		await this.#running;
	}

	trouble(): string | undefined {
		return this.#trouble?.reason;
	}

	/** Since when Redis does not get anything, and why; undefined while it does. */
	awaySince(): { reason: string; since: number } | undefined {
		return this.#trouble;
	}

	#say(reason: string): void {
		this.#trouble = { reason, since: this.#trouble?.since ?? Date.now() };
	}

	/**
	 * Readings in the log that Redis does not have yet, readings delivered, and readings it was told are lost from the
	 * log.
	 */
	stats(): { lag: number; delivered: number; lost: number } {
		return {
			lag: Math.max(0, this.#parts.log.endOffset - this.#cursor.position),
			delivered: this.#delivered,
			lost: this.#lost,
		};
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
			this.#redis = redis;
			try {
				await redis.connect();
				await this.#relay(redis, () => {
					failures = 0;
				});
			} catch (error) {
				const trouble = `Redis: ${(error as Error).message}`;
				if (this.#trouble?.reason !== trouble)
					this.#parts.logger.warn({ err: (error as Error).message }, 'relay: waiting for Redis');
				this.#say(trouble);
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
		// Told with the first reading that follows, in its transaction; until then Redis stands before it.
		const missing = new GapMarker(this.#parts.gatewayId, log.id);
		let untold: Gap[] = [];
		while (!signal.aborted) {
			if (sinceTrim >= TRIM_EVERY_RECORDS && (await this.#makeRoom(redis))) sinceTrim = 0;
			this.#trouble = undefined;
			const read = await log.read(next, { maxRecords: BATCH_RECORDS, maxBytes: BATCH_BYTES });
			if (read.records.length === 0) {
				if (read.next > next) {
					missing.add(read.gaps);
					untold.push(...read.gaps);
					this.#cursor.account.read(read.next, read.gaps);
					next = read.next;
				} else await log.waitFor(next, signal);
				continue;
			}
			missing.add(read.gaps);
			const readings = Buffer.concat(read.records.flatMap(({ payload }) => [payload, NEWLINE]));
			const answer: unknown = await redis.eval(
				APPEND,
				2,
				STREAMS.telemetry,
				this.#cursorKey,
				expected,
				String(read.next),
				readings,
				this.#parts.field,
				missing.empty ? '' : missing.toJson(),
				GAP_FIELD,
			);
			if (answer !== String(read.next)) {
				logger.warn({ answer }, 'relay: the cursor in Redis is elsewhere; going on from there');
				({ next, expected } = await this.#whereRedisIs(redis));
				missing.clear();
				untold = [];
				continue;
			}
			this.#tellLost([...untold, ...read.gaps]);
			missing.clear();
			untold = [];
			next = read.next;
			expected = String(next);
			this.#delivered += read.records.length;
			this.#cursor.account.read(next, read.gaps);
			this.#cursor.account.delivered(read.records.length, next, Date.now());
			sinceTrim += read.records.length;
			this.#cursor.commit(next);
			onProgress();
		}
	}

	/**
	 * Where Redis stands is where the cursor belongs, also when Redis has forgotten something. A Redis that holds no
	 * cursor gets everything this log still holds: consumers know readings by their id.
	 */
	async #whereRedisIs(redis: Redis): Promise<{ next: number; expected: string }> {
		const { log } = this.#parts;
		const expected = (await redis.get(this.#cursorKey)) ?? '';
		const next = expected === '' ? Math.min(this.#cursor.position, log.startOffset) : Number(expected);
		this.#cursor.commit(next);
		this.#cursor.account.begin(next);
		return { next, expected };
	}

	#tellLost(gaps: readonly Gap[]): void {
		const missing = gaps.filter(({ reason }) => reason !== 'consumed');
		if (missing.length === 0) return;
		const count = missing.reduce((sum, { from, to }) => sum + to - from + 1, 0);
		this.#lost += count;
		const { logger } = this.#parts;
		const details = { gaps: missing.slice(0, MOST_LOGGED), count };
		if (missing.every(({ reason }) => reason === 'thinned'))
			logger.warn(details, 'relay: readings were left out to make room in the log');
		else logger.error(details, 'relay: readings are lost from the log');
	}

	/**
	 * True when the stream has room. While a group is too far behind, the readings wait in our log, whose bound the
	 * operator chose.
	 */
	async #makeRoom(redis: Redis): Promise<boolean> {
		for (let attempt = 0; !this.#stopping.signal.aborted; attempt++) {
			const { blockedBy } = await this.#parts.trim(redis);
			if (blockedBy === undefined) return true;
			this.#say(`Redis: the stream is full, group ${blockedBy} is behind`);
			await pause(backOff(attempt, 200, 5000), this.#stopping.signal);
		}
		return false;
	}
}
