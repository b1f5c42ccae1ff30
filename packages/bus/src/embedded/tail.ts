import type { Log } from '@crowdvision/log';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { keepRunning, pause } from '@crowdvision/service-kit/retry';
import { type BusEntry, type Position, START, type Subscription, type TailGap } from '../bus.ts';
import { isStart, offsetAfter, positionOf } from './positions.ts';

const READ = { maxRecords: 500, maxBytes: 1024 * 1024 };

/** Follows a log from a position, without a cursor: what the log drops before it was read is reported as a gap. */
export class EmbeddedTail implements Subscription {
	readonly #log: Log;
	readonly #handle: (entries: BusEntry[]) => void | Promise<void>;
	readonly #onGap: ((gap: TailGap) => void) | undefined;
	readonly #logger: PlainLogger;
	readonly #closing = new AbortController();
	#offset = 0;
	#running: Promise<void> | undefined;

	constructor(
		log: Log,
		handle: (entries: BusEntry[]) => void | Promise<void>,
		onGap: ((gap: TailGap) => void) | undefined,
		logger: PlainLogger,
	) {
		this.#log = log;
		this.#handle = handle;
		this.#onGap = onGap;
		this.#logger = logger;
	}

	/** @throws CrowdVisionError `bad_request` if `from` is not a position. */
	start(from: Position | 'end'): void {
		const end = this.#log.endOffset;
		if (from === 'end') this.#offset = end;
		else if (isStart(from)) this.#offset = this.#log.startOffset;
		else this.#offset = offsetAfter(from);
		if (this.#offset > end) {
			this.#logger.warn({ position: from, end }, 'the stream ends before this position: following its end');
			this.#offset = end;
		}
		const { signal } = this.#closing;
		this.#running ??= keepRunning(() => this.#step(signal), {
			what: 'reading the log',
			signal,
			firstMs: 50,
			longestMs: 5000,
			logger: this.#logger,
			level: 'error',
		});
	}

	async close(): Promise<void> {
		this.#closing.abort();
		await this.#running;
	}

	async #step(signal: AbortSignal): Promise<void> {
		const oldest = this.#log.startOffset;
		if (this.#offset < oldest) {
			this.#reportGap(this.#offset, oldest);
			this.#offset = oldest;
		}
		const { records, next, gaps } = await this.#log.read(this.#offset, READ);
		if (signal.aborted) return;
		// As one gap: a follower that learns of it fetches the whole state again, and once is enough.
		if (gaps.length > 0) this.#reportGap(gaps[0]!.from, gaps.at(-1)!.to + 1);
		const entries = records.map(({ offset, payload }) => ({ position: positionOf(offset), data: payload.toString() }));
		if (entries.length > 0) await this.#handOver(entries);
		if (next > this.#offset) {
			this.#offset = next;
			return;
		}
		await this.#log.waitFor(next, signal);
		// A closed log resolves at once.
		if (this.#log.endOffset <= next) await pause(100, signal);
	}

	async #handOver(entries: BusEntry[]): Promise<void> {
		try {
			await this.#handle(entries);
		} catch (error) {
			// There is no other member to deliver to: the tail goes on, and its handler knows the position to return to.
			this.#logger.error({ err: error }, 'the handler of a tail failed');
		}
	}

	/** The offsets from `from` on and before `end` are missing. */
	#reportGap(from: number, end: number): void {
		try {
			this.#onGap?.({ from: from === 0 ? START : String(from), to: String(end) });
		} catch (error) {
			this.#logger.error({ err: error }, 'the gap handler of a tail failed');
		}
	}
}
