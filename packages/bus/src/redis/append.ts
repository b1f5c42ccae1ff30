import { CrowdVisionError } from '@crowdvision/contracts';
import type { RedisConnection } from './connection.ts';
import { DEFAULT_TRIM, type TrimBounds, type Trimmed, trimStream } from './trim.ts';

/** Entries that one process may append between two trims. */
const TRIM_EVERY = 1000;
/** How long the key of appendOnce is remembered: a week. */
const REMEMBERED_SECONDS = 7 * 24 * 3600;

/** Sets the key and appends in one step: only the first caller finds the key free. Replies false to the others. */
const APPEND_ONCE = `
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[3]) then return false end
return redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[2])
`;

/** Appends to one stream and keeps it within its bounds. */
export class RedisAppender {
	readonly #redis: RedisConnection;
	readonly #key: string;
	readonly #field: string;
	readonly #bounds: TrimBounds;
	readonly #trimEvery: number;
	/** Entries appended since the last trim. The first append trims: other processes may have filled the stream. */
	#sinceTrim = Number.POSITIVE_INFINITY;
	/** The group that keeps the stream from being trimmed. */
	#blockedBy: string | undefined;
	#trimming: Promise<void> | undefined;

	constructor(redis: RedisConnection, key: string, field: string, bounds: TrimBounds = DEFAULT_TRIM) {
		this.#redis = redis;
		this.#key = key;
		this.#field = field;
		this.#bounds = bounds;
		this.#trimEvery = Math.max(1, Math.min(TRIM_EVERY, Math.floor((bounds.max - bounds.keep) / 10)));
	}

	/** @throws CrowdVisionError `unavailable` when Redis is away or refuses, or when a group is too far behind. */
	async append(entries: readonly string[]): Promise<string[]> {
		if (entries.length === 0) return [];
		await this.#checkRoom();
		const replies = await this.#redis.run((redis) => {
			const transaction = redis.multi();
			for (const entry of entries) transaction.xadd(this.#key, '*', this.#field, entry);
			return transaction.exec().then(allOrNone);
		});
		this.#added(entries.length);
		return replies as string[];
	}

	/** Appends unless an entry was appended under the key `once` before. @throws as `append`. */
	async appendOnce(once: string, entry: string): Promise<boolean> {
		await this.#checkRoom();
		// The braces put both keys into one slot of a cluster.
		const key = `{${this.#key}}:once:${once}`;
		const id = await this.#redis.run((redis) =>
			redis.call('eval', APPEND_ONCE, 2, this.#key, key, this.#field, entry, REMEMBERED_SECONDS),
		);
		this.#added(1);
		return id !== null;
	}

	/**
	 * While blocked, every append tries to trim first. Otherwise trimming runs beside the appends, which would overtake
	 * each other if they waited for it.
	 * @throws CrowdVisionError `unavailable` while a group is too far behind.
	 */
	async #checkRoom(): Promise<void> {
		if (this.#blockedBy) await this.#trim();
		if (this.#blockedBy) {
			const held = `the stream ${this.#key} holds ${this.#bounds.max} entries`;
			const message = `${held} that the group ${this.#blockedBy} has not acknowledged`;
			throw new CrowdVisionError('unavailable', message, {}, 1);
		}
	}

	#added(entries: number): void {
		this.#sinceTrim += entries;
		// A trim that fails is made up for by the next one.
		if (this.#sinceTrim >= this.#trimEvery) this.#trim().catch(() => undefined);
	}

	#trim(): Promise<void> {
		this.#trimming ??= this.#redis
			.run((redis) => trimStream(redis, this.#key, this.#bounds))
			.then((trimmed: Trimmed) => {
				this.#sinceTrim = 0;
				this.#blockedBy = trimmed.blockedBy;
			})
			.finally(() => {
				this.#trimming = undefined;
			});
		return this.#trimming;
	}
}

/**
 * The replies of a transaction.
 * @throws the first command's error: commands accepted into a transaction fail together, such as for a key of another
 * type.
 */
export function allOrNone(replies: [error: Error | null, reply: unknown][] | null): unknown[] {
	if (!replies) throw new Error('the transaction was discarded');
	return replies.map(([error, reply]) => {
		if (error) throw error;
		return reply;
	});
}
