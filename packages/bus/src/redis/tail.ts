import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { keepRunning } from '@crowdvision/service-kit/retry';
import { type BusEntry, type Position, START, type Subscription, type TailGap } from '../bus.ts';
import type { RedisConnection } from './connection.ts';
import { entriesOf, type RawEntry } from './entries.ts';
import { compareIds, idBefore } from './ids.ts';

/** What following a stream from a position, without a group, works with. */
export interface RedisTailParts {
	/** This tail's own, for blocking reads. */
	reads: RedisConnection;
	/** How long a read may block, in ms; the timeout of `reads` must allow for it. */
	blockMs: number;
	key: string;
	field: string;
	handle: (entries: BusEntry[]) => void | Promise<void>;
	onGap: ((gap: TailGap) => void) | undefined;
	logger: PlainLogger;
}

type StreamReply = [[key: string, entries: RawEntry[]]] | null;

/** What a tail needs of `XINFO STREAM`. */
export interface StreamInfo {
	/** Id of the newest entry ever appended, whether still held or not. */
	last: Position;
	/** Id of the oldest entry held. */
	first: Position | undefined;
	/** Whether any entry was ever removed. */
	trimmed: boolean;
}

const BATCH = 500;

/** Parses the reply of `XINFO STREAM`. */
export function streamInfoOf(reply: unknown): StreamInfo {
	const fields = reply as unknown[];
	const value = (name: string) => fields[fields.indexOf(name) + 1];
	const first = value('first-entry') as RawEntry | null;
	return {
		last: String(value('last-generated-id')),
		first: first?.[0],
		// Redis before version 7 does not count: a stream then passes for trimmed.
		trimmed: !fields.includes('entries-added') || Number(value('entries-added')) > Number(value('length')),
	};
}

/**
 * Follows a stream from a position. While entries are waiting it reads them together with the stream's bounds, so that
 * it notices when the stream was trimmed past a slow reader; when none are waiting it blocks until the next one.
 */
export class RedisTail implements Subscription {
	readonly #parts: RedisTailParts;
	readonly #closing = new AbortController();
	readonly #started = Promise.withResolvers<void>();
	#position: Position | undefined;
	#running: Promise<void> | undefined;

	constructor(parts: RedisTailParts) {
		this.#parts = parts;
	}

	/** Begins after `from`. Resolves when the stream was read for the first time. */
	start(from: Position | 'end'): Promise<void> {
		if (from !== 'end') this.#position = from;
		this.#running ??= this.#run();
		return this.#started.promise;
	}

	async close(): Promise<void> {
		this.#closing.abort();
		this.#parts.reads.close();
		await this.#running;
	}

	async #run(): Promise<void> {
		const { logger, key } = this.#parts;
		const step = async () => {
			const caughtUp = (await this.#readWaiting()) === 0;
			if (caughtUp) await this.#readNext();
		};
		await keepRunning(step, {
			what: 'following the stream',
			signal: this.#closing.signal,
			firstMs: 50,
			longestMs: 2000,
			logger,
			details: { stream: key },
		});
		this.#started.resolve();
	}

	/** Delivers the entries that are there already. Resolves with their number. */
	async #readWaiting(): Promise<number> {
		const { reads, key } = this.#parts;
		const replies = await reads.run((redis) =>
			redis
				.multi()
				.call('xinfo', 'stream', key)
				.call('xread', 'count', BATCH, 'streams', key, this.#position ?? START)
				.exec(),
		);
		const [info, entries] = replies ?? [];
		if (entries?.[0]) throw entries[0];
		// XINFO fails while the stream does not exist yet.
		const stream = info && !info[0] ? streamInfoOf(info[1]) : undefined;
		const begins = this.#position === undefined;
		this.#position ??= stream?.last ?? START;
		this.#started.resolve();
		if (begins) return 0;
		if (stream && compareIds(stream.last, this.#position) < 0) {
			this.#parts.logger.warn(
				{ stream: key, position: this.#position, end: stream.last },
				'the stream ends before this position: following its end',
			);
			this.#position = stream.last;
			return 0;
		}
		if (stream) this.#reportGap(stream);
		return this.#deliver(entries?.[1] as StreamReply);
	}

	async #readNext(): Promise<void> {
		const { reads, key, blockMs } = this.#parts;
		const args = ['count', BATCH, 'block', blockMs, 'streams', key, this.#position!];
		await this.#deliver((await reads.run((redis) => redis.call('xread', ...args))) as StreamReply);
	}

	#reportGap({ first, last, trimmed }: StreamInfo): void {
		const from = this.#position!;
		const to = first === undefined ? last : idBefore(first);
		if (!trimmed || compareIds(from, START) === 0 || compareIds(from, to) >= 0) return;
		this.#position = to;
		try {
			this.#parts.onGap?.({ from, to });
		} catch (error) {
			this.#parts.logger.error({ err: error, stream: this.#parts.key }, 'the gap handler of a tail failed');
		}
	}

	async #deliver(reply: StreamReply): Promise<number> {
		const raw = reply?.[0][1] ?? [];
		const newest = raw.at(-1);
		if (!newest || this.#closing.signal.aborted) return 0;
		try {
			await this.#parts.handle(entriesOf(raw, this.#parts.field));
		} catch (error) {
			// There is no other member to deliver to: the tail goes on, and its handler knows the position to return to.
			this.#parts.logger.error({ err: error, stream: this.#parts.key }, 'the handler of a tail failed');
		}
		this.#position = newest[0];
		return raw.length;
	}
}
