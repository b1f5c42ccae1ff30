/** Appends the readings of the log to Redis, each exactly once. */
import { GapMarker } from '@crowdvision/bus';
import { GAP_FIELD, STREAMS } from '@crowdvision/contracts';
import type { Cursor, Gap, Log } from '@crowdvision/log';
import { keepRunning, type Logger, pause, Retry, waitAtMost } from '@crowdvision/service-kit';
import { Redis } from 'ioredis';
import { type RelayBatch, RelayReader } from './relay-batch.ts';

/**
 * One batch in one transaction: the readings, their announcements and the cursor. The cursor must stand where the batch
 * begins, so a batch that was sent twice, or runs late on a connection given up, does nothing the second time.
 *
 * KEYS: stream, cursor. ARGV: where the cursor must stand (`''`: there is none yet); where it stands after the batch;
 * the readings, a newline after each, which they do not contain; for each run of readings with the same channel a line
 * with its length and the channel; the field of a reading; the field of a gap, and what is missing before the first
 * reading (`''`: nothing). Returns where the cursor stands.
 */
const APPEND = `
local next = redis.call('GET', KEYS[2]) or ''
if next ~= ARGV[1] then return next end
local call, find, sub, key, lines, field = redis.call, string.find, string.sub, KEYS[1], ARGV[3], ARGV[5]
local gap = ARGV[7]
local from = 1
for length, channel in string.gmatch(ARGV[4], '(%d+) ([^\\n]+)') do
  for _ = 1, tonumber(length) do
    local to = find(lines, '\\n', from, true)
    local reading = sub(lines, from, to - 1)
    from = to + 1
    if gap == '' then call('XADD', key, '*', field, reading)
    else call('XADD', key, '*', field, reading, ARGV[6], gap) end
    gap = ''
    call('PUBLISH', channel, reading)
  end
end
redis.call('SET', KEYS[2], ARGV[2])
return ARGV[2]`;

/** After a batch with fewer readings, the relay lets some come together. */
const SMALL_BATCH = 250;
/** Least time from the start of a small batch to the next one, ms. */
const PAUSE_MS = 5;
const COMMAND_TIMEOUT_MS = 10_000;
/** How long a stop waits for the batch under way. Redis then has it or not, and the next start asks which. */
const STOP_TIMEOUT_MS = 2_000;
const TRIM_EVERY_RECORDS = 10_000;
/** Most gaps in one log line. */
const MAX_LOGGED_GAPS = 5;

export interface RelayParts {
	log: Log;
	url: string;
	gatewayId: string;
	/** The Redis field that holds a reading. */
	field: string;
	logger: Logger;
	/** Keeps the stream within its bound; resolves with the consumer group that prevents it, if one does. */
	trim: (redis: Redis) => Promise<{ blockedBy?: string }>;
}

/** Where Redis stands in the log. */
interface Place {
	next: number;
	/** The cursor in Redis; `''` if there is none. */
	expected: string;
}

/**
 * The cursor on the log that appends to Redis, each reading exactly once: its position is kept in Redis, moves in the
 * same transaction as the readings, and is asked for after every reconnect.
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
		this.#cursor.tally.begin(this.#cursor.position);
		// The hash tag puts the cursor beside the stream in a Redis Cluster, where a transaction must stay on one node. The
		// log's id keeps two gateways of the same name (every new Pi is called raspberrypi) from moving each other's
		// cursor.
		this.#cursorKey = `{${STREAMS.telemetry}}:cursor:${parts.gatewayId}:${parts.log.id}`;
	}

	start(): void {
		const { signal } = this.#stopping;
		this.#running = keepRunning((succeeded) => this.#connect(succeeded), {
			what: 'relay: appending to Redis',
			signal,
			firstMs: 100,
			longestMs: 5000,
			logger: this.#parts.logger,
			onFailure: ({ error }) => this.#setTrouble((error as Error).message),
		});
	}

	/** Stops after the batch under way, or after two seconds if Redis does not answer. */
	async stop(): Promise<void> {
		this.#stopping.abort();
		if (!(await waitAtMost(STOP_TIMEOUT_MS, this.#running))) this.#redis?.disconnect();
		await this.#running;
	}

	trouble(): string | undefined {
		return this.#trouble?.reason;
	}

	/** Since when Redis gets no readings, epoch ms, and why; undefined while it gets them. */
	awaySince(): { reason: string; since: number } | undefined {
		return this.#trouble;
	}

	/** `lag`: readings in the log that Redis does not have yet. `lost`: readings that were gone from the log before. */
	stats(): { lag: number; delivered: number; lost: number } {
		return {
			lag: Math.max(0, this.#parts.log.endOffset - this.#cursor.position),
			delivered: this.#delivered,
			lost: this.#lost,
		};
	}

	#setTrouble(reason: string): void {
		this.#trouble = { reason: `Redis: ${reason}`, since: this.#trouble?.since ?? Date.now() };
	}

	/** Relays over one connection, until it fails or the relay is stopped. */
	async #connect(onProgress: () => void): Promise<void> {
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
			await this.#relay(redis, onProgress);
		} finally {
			redis.disconnect();
		}
	}

	async #relay(redis: Redis, onProgress: () => void): Promise<void> {
		const { log, logger } = this.#parts;
		const { signal } = this.#stopping;
		const reader = new RelayReader(log);
		let place = await this.#placeOf(redis);
		logger.info({ next: place.next }, 'relay: connected');
		let sinceTrim = TRIM_EVERY_RECORDS;
		// Sent with the reading that follows, in its transaction; until then the cursor in Redis stands before the gap.
		const missing = new GapMarker(this.#parts.gatewayId, log.id);
		let gaps: Gap[] = [];
		while (!signal.aborted) {
			if (sinceTrim >= TRIM_EVERY_RECORDS && (await this.#makeRoom(redis, reader))) sinceTrim = 0;
			this.#trouble = undefined;
			const batch = await reader.read(place.next);
			missing.add(batch.gaps);
			gaps.push(...batch.gaps);
			if (batch.count === 0) {
				if (batch.next > place.next) {
					this.#cursor.tally.read(batch.next, batch.gaps);
					place.next = batch.next;
				} else await log.waitFor(place.next, signal);
				continue;
			}
			const began = performance.now();
			const appended = this.#append(redis, place, batch, missing);
			const isSmall = batch.count < SMALL_BATCH;
			if (!isSmall) reader.readAhead(batch.next);
			if (await appended) {
				this.#reportLost(gaps);
				place = { next: batch.next, expected: String(batch.next) };
				this.#delivered += batch.count;
				this.#cursor.tally.read(place.next, batch.gaps);
				this.#cursor.tally.delivered(batch.count, place.next, Date.now());
				sinceTrim += batch.count;
				this.#cursor.commit(place.next);
				onProgress();
			} else {
				await reader.forget();
				place = await this.#placeOf(redis);
			}
			missing.clear();
			gaps = [];
			if (isSmall) await pause(Math.max(0, PAUSE_MS - (performance.now() - began)), signal);
		}
	}

	/** False when the cursor in Redis stands elsewhere; then nothing was appended. */
	async #append(redis: Redis, { expected }: Place, batch: RelayBatch, missing: GapMarker): Promise<boolean> {
		const answer: unknown = await redis.eval(
			APPEND,
			2,
			STREAMS.telemetry,
			this.#cursorKey,
			expected,
			String(batch.next),
			batch.readings,
			batch.channels,
			this.#parts.field,
			GAP_FIELD,
			missing.empty ? '' : missing.toJson(),
		);
		if (answer === String(batch.next)) return true;
		this.#parts.logger.warn({ answer }, 'relay: the cursor in Redis stands elsewhere; continuing from there');
		return false;
	}

	/**
	 * Asks Redis where it stands, and moves the cursor there, also when Redis has lost something. A Redis without a
	 * cursor gets everything that the log still holds: consumers recognize readings by their id.
	 */
	async #placeOf(redis: Redis): Promise<Place> {
		const { log } = this.#parts;
		const expected = (await redis.get(this.#cursorKey)) ?? '';
		const next = expected === '' ? Math.min(this.#cursor.position, log.startOffset) : Number(expected);
		this.#cursor.commit(next);
		this.#cursor.tally.begin(next);
		return { next, expected };
	}

	#reportLost(gaps: readonly Gap[]): void {
		const missing = gaps.filter(({ reason }) => reason !== 'consumed');
		if (missing.length === 0) return;
		const count = missing.reduce((sum, { from, to }) => sum + to - from + 1, 0);
		this.#lost += count;
		const { logger } = this.#parts;
		const details = { gaps: missing.slice(0, MAX_LOGGED_GAPS), count };
		if (missing.every(({ reason }) => reason === 'thinned'))
			logger.warn(details, 'relay: readings were left out to make room in the log');
		else logger.error(details, 'relay: readings are lost from the log');
	}

	/**
	 * Resolves with true when the stream has room, with false when the relay is stopped. While a consumer group is too
	 * far behind, the readings wait in the log, whose bound the operator chose.
	 */
	async #makeRoom(redis: Redis, reader: RelayReader): Promise<boolean> {
		const { signal } = this.#stopping;
		const retry = new Retry({ what: 'relay: making room in the stream', signal, firstMs: 200, longestMs: 5000 });
		while (!signal.aborted) {
			const { blockedBy } = await this.#parts.trim(redis);
			if (blockedBy === undefined) return true;
			await reader.forget();
			const reason = `the stream is full, group ${blockedBy} is behind`;
			this.#setTrouble(reason);
			await retry.failed(new Error(reason));
		}
		return false;
	}
}
