import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { Retry } from '@crowdvision/service-kit/retry';
import type { BusEntry, Subscription } from '../bus.ts';
import type { FullConsumeOptions } from '../consume-options.ts';
import { type Candidate, type Delivery, deliver } from '../deliver.ts';
import { allOrNone } from './append.ts';
import { isRedisError, type RedisConnection } from './connection.ts';
import { deadKey, entriesOf, type RawEntry } from './entries.ts';
import { goBack } from './go-back.ts';

/** What one member of a consumer group works with. */
export interface RedisConsumerParts {
	/** Shared, for commands that do not block. */
	commands: RedisConnection;
	/** This consumer's own, for blocking reads. */
	reads: RedisConnection;
	/** How long a read may block, in ms; the timeout of `reads` must allow for it. */
	blockMs: number;
	key: string;
	field: string;
	group: string;
	options: FullConsumeOptions;
	handle: (entries: BusEntry[]) => Promise<void>;
	logger: PlainLogger;
}

/** One row of XPENDING; `idle` in ms. */
type Pending = [id: string, member: string, idle: number, deliveries: number];

const DEAD_LETTERS_KEPT = 10_000;
const FORGET_AFTER_MS = 24 * 3600_000;

/** Removes members that hold nothing and were silent for a day: they would pile up, one per name ever used. */
const FORGET_MEMBERS = `
local gone = 0
for _, fields in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
	local member = {}
	for i = 1, #fields, 2 do member[fields[i]] = fields[i + 1] end
	if member['pending'] == 0 and member['idle'] > tonumber(ARGV[2]) then
		redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], member['name'])
		gone = gone + 1
	end
end
return gone
`;

/**
 * Makes a member leave: what it still holds looks long abandoned from now on, so that other members take it at once,
 * and looks never tried, since the entries are not to blame. In one step, as an entry may still be on its way to the
 * member.
 */
const LEAVE = `
local held = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000, ARGV[2])
if #held == 0 then
	redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
	return 0
end
for _, pending in ipairs(held) do
	redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, pending[1], 'TIME', 0, 'RETRYCOUNT', 0, 'JUSTID')
end
return #held
`;

/**
 * A member of a group. It first delivers what it held before (after its own restart, or a lost reply), then new
 * entries, and from time to time what silent members hold. While a handler runs its entries are claimed again and
 * again, so that a slow handler is not taken for a dead one.
 */
export class RedisConsumer implements Subscription {
	readonly #parts: RedisConsumerParts;
	readonly #closing = new AbortController();
	readonly #started = Promise.withResolvers<void>();
	#running: Promise<void> | undefined;
	readonly #retry: Retry;
	#wentBack = false;

	constructor(parts: RedisConsumerParts) {
		this.#parts = parts;
		const { key, group, logger } = parts;
		this.#retry = new Retry({
			what: 'consuming the stream',
			signal: this.#closing.signal,
			firstMs: 50,
			longestMs: 5000,
			logger,
			details: { stream: key, group },
		});
	}

	/** Resolves when the group exists, which may take as long as Redis is away. */
	start(): Promise<void> {
		this.#running ??= this.#run();
		return this.#started.promise;
	}

	async close(): Promise<void> {
		if (!this.#closing.signal.aborted) {
			this.#closing.abort();
			this.#parts.reads.close();
		}
		await this.#running;
	}

	async #run(): Promise<void> {
		const { logger, key, group } = this.#parts;
		while (!this.#closing.signal.aborted) {
			try {
				await this.#ensureGroup();
				await this.#goBack();
				this.#started.resolve();
				await this.#takeOver('own');
				await this.#follow();
			} catch (error) {
				if (this.#closing.signal.aborted) break;
				if (isRedisError(error, 'NOGROUP'))
					logger.warn({ stream: key, group }, 'the group is gone because Redis lost its data: creating it again');
				await this.#retry.failed(error);
			}
		}
		this.#started.resolve();
		await this.#leave();
	}

	async #follow(): Promise<void> {
		const { claimAfterMs } = this.#parts.options;
		let nextLook = 0;
		while (!this.#closing.signal.aborted) {
			if (performance.now() >= nextLook) {
				await this.#takeOver('silent');
				// With jitter, so that members do not look at the same moment.
				nextLook = performance.now() + claimAfterMs * (0.4 + Math.random() * 0.2);
			}
			const entries = await this.#read();
			this.#retry.succeeded();
			if (entries.length > 0) await this.#deliver(entries.map((entry) => ({ entry, tries: 0 })));
		}
	}

	async #ensureGroup(): Promise<void> {
		const { commands, key, group } = this.#parts;
		try {
			await commands.run((redis) => redis.xgroup('CREATE', key, group, '0', 'MKSTREAM'));
		} catch (error) {
			if (!isRedisError(error, 'BUSYGROUP')) throw error;
		}
		await commands.run((redis) => redis.call('eval', FORGET_MEMBERS, 1, key, group, FORGET_AFTER_MS));
	}

	/** Only once: later the group is where this consumer has brought it. */
	async #goBack(): Promise<void> {
		const { commands, key, group, options, logger } = this.#parts;
		if (options.from === undefined || this.#wentBack) return;
		const { went, gap } = await goBack(commands, key, group, options.from);
		if (went) logger.warn({ stream: key, group, to: options.from }, 'the group is ahead of its consumer: going back');
		if (gap)
			logger.error(
				{ stream: key, group, ...gap },
				'the group goes back to a position that the stream no longer holds: entries may be missing',
			);
		this.#wentBack = true;
	}

	async #read(): Promise<BusEntry[]> {
		const { reads, key, field, group, options, blockMs } = this.#parts;
		const args = ['group', group, options.member, 'count', options.batch, 'block', blockMs, 'streams', key, '>'];
		const reply = (await reads.run((redis) => redis.call('xreadgroup', ...args))) as [[string, RawEntry[]]] | null;
		return entriesOf(reply?.[0][1] ?? [], field);
	}

	/**
	 * Delivers again what was delivered to this member (`own`) or to a silent one and never acknowledged. Entries with
	 * one delivery go as a batch; entries with more go one by one, since such an entry may have killed the members that
	 * held it.
	 */
	async #takeOver(whose: 'own' | 'silent'): Promise<void> {
		const { commands, key, group, options } = this.#parts;
		const idle = whose === 'own' ? 0 : options.claimAfterMs;
		const filter = whose === 'own' ? [] : ['idle', idle];
		const owner = whose === 'own' ? [options.member] : [];
		for (let from = '-'; !this.#closing.signal.aborted; ) {
			const args = [key, group, ...filter, from, '+', options.batch, ...owner];
			const found = (await commands.run((redis) => redis.call('xpending', ...args))) as Pending[];
			this.#retry.succeeded();
			const tries = new Map(found.map(([id, , , deliveries]) => [id, deliveries]));
			const once = [...tries.keys()].filter((id) => tries.get(id)! < 2);
			const often = [...tries.keys()].filter((id) => tries.get(id)! >= 2);
			if (whose === 'silent' && found.length > 0)
				this.#parts.logger.info({ stream: key, group, entries: found.length }, 'taking over from a silent member');
			for (const ids of [once, ...often.map((id) => [id])]) {
				if (ids.length === 0 || this.#closing.signal.aborted) continue;
				const claimed = await this.#claim(ids, idle);
				await this.#deliver(claimed.map((entry) => ({ entry, tries: tries.get(entry.position) ?? 1 })));
			}
			if (found.length < options.batch) return;
			from = `(${found.at(-1)![0]}`;
		}
	}

	/**
	 * Resolves with the entries among `ids` that are this member's now: another may have been faster, or one was trimmed.
	 */
	async #claim(ids: string[], idle: number): Promise<BusEntry[]> {
		const { commands, key, field, group, options } = this.#parts;
		const claimed = (await commands.run((redis) =>
			redis.call('xclaim', key, group, options.member, idle, ...ids),
		)) as (RawEntry | null)[];
		const entries = entriesOf(claimed, field);
		const missing = ids.filter((id) => !entries.some(({ position }) => position === id));
		// With idle 0 every entry can be claimed, so one that is missing is no longer in the stream. Before Redis 7 it
		// would stay pending forever.
		if (idle === 0 && missing.length > 0) await commands.run((redis) => redis.xack(key, group, ...missing));
		return entries;
	}

	async #deliver(candidates: Candidate[]): Promise<void> {
		if (candidates.length === 0) return;
		const { commands, key, group, options, handle, logger } = this.#parts;
		const held = new Set(candidates.map(({ entry }) => entry.position));
		const touch = setInterval(() => {
			const args = [key, group, options.member, 0, ...held, 'justid'];
			// When this fails another member may take the entries too: delivery is at least once.
			if (held.size > 0) commands.run((redis) => redis.call('xclaim', ...args)).catch(() => undefined);
		}, options.claimAfterMs / 3);
		const delivery: Delivery = {
			handle,
			logger,
			maxAttempts: options.maxAttempts,
			signal: this.#closing.signal,
			acknowledge: async (entries) => {
				const ids = entries.map(({ position }) => position);
				await commands.run((redis) => redis.xack(key, group, ...ids));
				for (const id of ids) held.delete(id);
			},
			setAside: async (entry, reason, attempts) => {
				await this.#setAside(entry, reason, attempts);
				held.delete(entry.position);
			},
			trying: async (entry, attempt) => {
				const args = [key, group, options.member, 0, entry.position, 'retrycount', attempt, 'justid'];
				await commands.run((redis) => redis.call('xclaim', ...args));
			},
		};
		try {
			await deliver(delivery, candidates);
		} finally {
			clearInterval(touch);
		}
	}

	async #setAside(entry: BusEntry, reason: string, attempts: number): Promise<void> {
		const { commands, key, group } = this.#parts;
		const letter = { position: entry.position, data: entry.data, group, reason, attempts, at: Date.now() };
		const fields = Object.entries(letter).flat();
		await commands.run((redis) =>
			redis
				.multi()
				.xadd(deadKey(key), 'MAXLEN', '~', DEAD_LETTERS_KEPT, '*', ...fields)
				.xack(key, group, entry.position)
				.exec()
				.then(allOrNone),
		);
	}

	async #leave(): Promise<void> {
		const { commands, key, group, options } = this.#parts;
		// If Redis is away, the other members take over after `claimAfterMs`.
		await commands.run((redis) => redis.call('eval', LEAVE, 1, key, group, options.member), 0).catch(() => undefined);
	}
}
