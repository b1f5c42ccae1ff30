import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { backOff, pause } from '@crowdvision/service-kit/retry';
import type { BusEntry, Subscription } from '../bus.ts';
import type { FullConsumeOptions } from '../consume-options.ts';
import { type Candidate, type Delivery, deliver } from '../deliver.ts';
import { allOrNone } from './redis-append.ts';
import { isRedisError, type RedisConnection } from './redis-connection.ts';
import { deadKey, entriesOf, type RawEntry } from './redis-entries.ts';
import { goBack } from './redis-go-back.ts';

export interface RedisConsumerParts {
	/** Shared: for everything that does not block. */
	commands: RedisConnection;
	/** Its own: for blocking reads. */
	reads: RedisConnection;
	/** Milliseconds a read may block; `reads` must allow for it. */
	blockMs: number;
	key: string;
	field: string;
	group: string;
	options: FullConsumeOptions;
	handle: (entries: BusEntry[]) => Promise<void>;
	logger: PlainLogger;
}

/** Id, member, milliseconds of silence, deliveries. */
type Pending = [id: string, member: string, idle: number, deliveries: number];

const LONGEST_PAUSE_MS = 5000;
const DEAD_LETTERS_KEPT = 10_000;
const FORGET_AFTER_MS = 24 * 3600_000;

/** Members that hold nothing and were not heard of for a day would otherwise pile up, one per name ever used. */
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
 * Leaving in order: what this member still holds looks long abandoned from now on, so that the others take it at once,
 * and as if it was never tried; it is no fault of the entries. One step, since an entry may still be on its way to the
 * member that leaves.
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
 * A member of a group. First what it held before (its own restart, or a reply that was lost), then what is new; now and
 * then what silent members hold. While a handler runs, the entries in its hand are touched, so that slow is not taken
 * for dead.
 */
export class RedisConsumer implements Subscription {
	readonly #parts: RedisConsumerParts;
	readonly #closing = new AbortController();
	readonly #started = Promise.withResolvers<void>();
	#running: Promise<void> | undefined;
	#failures = 0;
	#wentBack = false;

	constructor(parts: RedisConsumerParts) {
		this.#parts = parts;
	}

	/** Begins. The promise resolves when the group exists; it may take as long as Redis is away. */
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
					logger.warn({ stream: key, group }, 'the group is gone: Redis lost its data; beginning again');
				else if (this.#failures === 0)
					logger.warn({ err: error, stream: key, group }, 'consuming was interrupted: trying on');
				await pause(backOff(this.#failures++, 50, LONGEST_PAUSE_MS), this.#closing.signal);
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
				// Not all members at the same moment.
				nextLook = performance.now() + claimAfterMs * (0.4 + Math.random() * 0.2);
			}
			const entries = await this.#read();
			this.#failures = 0;
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

	/** Only the first time: later on the group is where this consumer has brought it. */
	async #goBack(): Promise<void> {
		const { commands, key, group, options, logger } = this.#parts;
		if (options.from === undefined || this.#wentBack) return;
		const { went, gap } = await goBack(commands, key, group, options.from);
		if (went)
			logger.warn({ stream: key, group, to: options.from }, 'the group is further on than its consumer: going back');
		if (gap)
			logger.error(
				{ stream: key, group, ...gap },
				'going back, the group may find a gap: the stream holds nothing as old any more',
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
	 * Delivers what was delivered before and never acknowledged: by this member (`own`), or by one that is silent. What
	 * only one delivery is known of goes together; what was tried more often goes one by one, since it may be what ended
	 * those who tried it.
	 */
	async #takeOver(whose: 'own' | 'silent'): Promise<void> {
		const { commands, key, group, options } = this.#parts;
		const idle = whose === 'own' ? 0 : options.claimAfterMs;
		const filter = whose === 'own' ? [] : ['idle', idle];
		const owner = whose === 'own' ? [options.member] : [];
		for (let from = '-'; !this.#closing.signal.aborted; ) {
			const args = [key, group, ...filter, from, '+', options.batch, ...owner];
			const found = (await commands.run((redis) => redis.call('xpending', ...args))) as Pending[];
			this.#failures = 0;
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
	 * The entries among `ids` that are this member's now: others may have been quicker, and what was trimmed is
	 * forgotten.
	 */
	async #claim(ids: string[], idle: number): Promise<BusEntry[]> {
		const { commands, key, field, group, options } = this.#parts;
		const claimed = (await commands.run((redis) =>
			redis.call('xclaim', key, group, options.member, idle, ...ids),
		)) as (RawEntry | null)[];
		const entries = entriesOf(claimed, field);
		const missing = ids.filter((id) => !entries.some(({ position }) => position === id));
		// Idle 0 takes from everybody, so what is missing is no longer in the stream; before Redis 7 it would stay pending
		// for ever.
		if (idle === 0 && missing.length > 0) await commands.run((redis) => redis.xack(key, group, ...missing));
		return entries;
	}

	async #deliver(candidates: Candidate[]): Promise<void> {
		if (candidates.length === 0) return;
		const { commands, key, group, options, handle, logger } = this.#parts;
		const held = new Set(candidates.map(({ entry }) => entry.position));
		const touch = setInterval(() => {
			const args = [key, group, options.member, 0, ...held, 'justid'];
			// Late or not at all: then somebody else may take the entries too, which is allowed.
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
		// Where Redis is away this is left to `claimAfterMs`.
		await commands.run((redis) => redis.call('eval', LEAVE, 1, key, group, options.member), 0).catch(() => undefined);
	}
}
