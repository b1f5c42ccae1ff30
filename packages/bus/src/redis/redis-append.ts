import { CrowdVisionError } from '@crowdvision/contracts';
import type { RedisConnection } from './redis-connection.ts';
import { DEFAULT_TRIM, type TrimBounds, type Trimmed, trimStream } from './redis-trim.ts';

/** How many entries may be appended by one process between two trims. */
const LOOK_EVERY = 1000;
/** A week. */
const REMEMBERED_SECONDS = 7 * 24 * 3600;

/** In one step: whoever is first appends, and everybody after that finds the key. */
const APPEND_ONCE = `
if redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[3]) then return redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[2]) end
return false
`;

/** Appends to one stream, and keeps it within its bounds. */
export class RedisAppender {
	readonly #redis: RedisConnection;
	readonly #key: string;
	readonly #field: string;
	readonly #bounds: TrimBounds;
	readonly #lookEvery: number;
	/** Appended since the last look at the stream's length. The first append looks: others may have filled it. */
	#sinceLook = Number.POSITIVE_INFINITY;
	#blockedBy: string | undefined;
	#looking: Promise<void> | undefined;

	constructor(redis: RedisConnection, key: string, field: string, bounds: TrimBounds = DEFAULT_TRIM) {
		this.#redis = redis;
		this.#key = key;
		this.#field = field;
		this.#bounds = bounds;
		this.#lookEvery = Math.max(1, Math.min(LOOK_EVERY, Math.floor((bounds.most - bounds.keep) / 10)));
	}

	/** @throws CrowdVisionError `unavailable` when Redis is away or refuses, or when a group is too far behind. */
	async append(entries: readonly string[]): Promise<string[]> {
		if (entries.length === 0) return [];
		await this.#room();
		const replies = await this.#redis.run((redis) => {
			const transaction = redis.multi();
			for (const entry of entries) transaction.xadd(this.#key, '*', this.#field, entry);
			return transaction.exec().then(allOrNone);
		});
		this.#added(entries.length);
		return replies as string[];
	}

	/** Appends unless `once` was appended under before. @throws as `append`. */
	async appendOnce(once: string, entry: string): Promise<boolean> {
		await this.#room();
		// In braces, so that both keys are in one slot of a cluster.
		const key = `{${this.#key}}:once:${once}`;
		const id = await this.#redis.run((redis) =>
			redis.call('eval', APPEND_ONCE, 2, this.#key, key, this.#field, entry, REMEMBERED_SECONDS),
		);
		this.#added(1);
		return id !== null;
	}

	/**
	 * While blocked every append looks again; else looking goes on beside the appends, which would otherwise overtake
	 * each other.
	 */
	async #room(): Promise<void> {
		if (this.#blockedBy) await this.#look();
		if (this.#blockedBy) {
			const message = `the stream ${this.#key} holds ${this.#bounds.most} entries that the group ${this.#blockedBy} has not acknowledged`;
			throw new CrowdVisionError('unavailable', message, {}, 1);
		}
	}

	#added(entries: number): void {
		this.#sinceLook += entries;
		// What a look could not find out now, the next one will.
		if (this.#sinceLook >= this.#lookEvery) this.#look().catch(() => undefined);
	}

	#look(): Promise<void> {
		this.#looking ??= this.#redis
			.run((redis) => trimStream(redis, this.#key, this.#bounds))
			.then((trimmed: Trimmed) => {
				this.#sinceLook = 0;
				this.#blockedBy = trimmed.blockedBy;
			})
			.finally(() => {
				this.#looking = undefined;
			});
		return this.#looking;
	}
}

/**
 * The replies of a transaction. Commands that were accepted into it fail alike, if at all: for a key of another type.
 */
export function allOrNone(replies: [error: Error | null, reply: unknown][] | null): unknown[] {
	if (!replies) throw new Error('the transaction was given up');
	return replies.map(([error, reply]) => {
		if (error) throw error;
		return reply;
	});
}
