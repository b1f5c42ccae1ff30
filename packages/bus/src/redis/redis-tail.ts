import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { backOff, pause } from '@crowdvision/service-kit/retry';
import { type BusEntry, type Position, START, type Subscription, type TailGap } from '../bus.ts';
import type { RedisConnection } from './redis-connection.ts';
import { entriesOf, type RawEntry } from './redis-entries.ts';
import { compareIds, idBefore } from './redis-ids.ts';

export interface RedisTailParts {
	/** Its own: for blocking reads. */
	reads: RedisConnection;
	/** Milliseconds a read may block; `reads` must allow for it. */
	blockMs: number;
	key: string;
	field: string;
	handle: (entries: BusEntry[]) => void | Promise<void>;
	onGap: ((gap: TailGap) => void) | undefined;
	logger: PlainLogger;
}

type StreamReply = [[key: string, entries: RawEntry[]]] | null;

/** What `XINFO STREAM` says that a tail needs. */
export interface StreamInfo {
	/** Id of the newest entry ever, held or not. */
	last: Position;
	/** Id of the oldest entry held. */
	first: Position | undefined;
	/** Whether entries were ever removed. */
	trimmed: boolean;
}

const BATCH = 500;
const LONGEST_PAUSE_MS = 2000;

/** Reads `XINFO STREAM`. */
export function streamInfoOf(reply: unknown): StreamInfo {
	const fields = reply as unknown[];
	const value = (name: string) => fields[fields.indexOf(name) + 1];
	const first = value('first-entry') as RawEntry | null;
	return {
		last: String(value('last-generated-id')),
		first: first?.[0],
		// Before Redis 7 nothing is counted; what is older than the first entry then counts as trimmed.
		trimmed: !fields.includes('entries-added') || Number(value('entries-added')) > Number(value('length')),
	};
}

/**
 * Follows a stream from a position. While entries are waiting it reads them together with the stream's bounds, so that
 * a cut made under a slow reader does not go unseen; when there are none it blocks until the next.
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

	/** Begins after `from`. The promise resolves when the stream was reached for the first time. */
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
		let failures = 0;
		while (!this.#closing.signal.aborted) {
			try {
				const caughtUp = (await this.#readWaiting()) === 0;
				if (caughtUp) await this.#readNext();
				failures = 0;
			} catch (error) {
				if (this.#closing.signal.aborted) break;
				if (failures === 0)
					this.#parts.logger.warn(
						{ err: error, stream: this.#parts.key },
						'following a stream was interrupted: trying on',
					);
				await pause(backOff(failures++, 50, LONGEST_PAUSE_MS), this.#closing.signal);
			}
		}
		this.#started.resolve();
	}

	/** Reads what is there already, and how many that were. */
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
		// An error of XINFO means that there is no such stream yet.
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
		if (stream) this.#tellGap(stream);
		return this.#deliver(entries?.[1] as StreamReply);
	}

	async #readNext(): Promise<void> {
		const { reads, key, blockMs } = this.#parts;
		const args = ['count', BATCH, 'block', blockMs, 'streams', key, this.#position!];
		await this.#deliver((await reads.run((redis) => redis.call('xread', ...args))) as StreamReply);
	}

	#tellGap({ first, last, trimmed }: StreamInfo): void {
		const from = this.#position!;
		const to = first === undefined ? last : idBefore(first);
		if (!trimmed || compareIds(from, START) === 0 || compareIds(from, to) >= 0) return;
		this.#position = to;
		try {
			this.#parts.onGap?.({ from, to });
		} catch (error) {
			this.#parts.logger.error({ err: error, stream: this.#parts.key }, 'a tail failed to take a gap');
		}
	}

	async #deliver(reply: StreamReply): Promise<number> {
		const raw = reply?.[0][1] ?? [];
		const newest = raw.at(-1);
		if (!newest || this.#closing.signal.aborted) return 0;
		try {
			await this.#parts.handle(entriesOf(raw, this.#parts.field));
		} catch (error) {
			// A tail has nobody to give it to instead: it goes on, and the handler has the position to come back to.
			this.#parts.logger.error({ err: error, stream: this.#parts.key }, 'a tail failed to take entries');
		}
		this.#position = newest[0];
		return raw.length;
	}
}
