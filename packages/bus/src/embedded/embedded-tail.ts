import type { Log } from '@crowdvision/log';
import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import { backOff, pause } from '@crowdvision/service-kit/retry';
import { type BusEntry, type Position, START, type Subscription, type TailGap } from '../bus.ts';
import { isStart, offsetAfter, positionOf } from './embedded-positions.ts';

const READ = { maxRecords: 500, maxBytes: 1024 * 1024 };
const LONGEST_PAUSE_MS = 5000;

/** Follows a log from a position, without a cursor: what the log gives up meanwhile is told as a gap. */
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

	/** @throws CrowdVisionError `bad_request` for what is not a position. */
	start(from: Position | 'end'): void {
		const end = this.#log.endOffset;
		if (from === 'end') this.#offset = end;
		else if (isStart(from)) this.#offset = this.#log.startOffset;
		else this.#offset = offsetAfter(from);
		if (this.#offset > end) {
			this.#logger.warn({ position: from, end }, 'the stream ends before this position: following its end');
			this.#offset = end;
		}
		this.#running ??= this.#run();
	}

	async close(): Promise<void> {
		this.#closing.abort();
		await this.#running;
	}

	async #run(): Promise<void> {
		const signal = this.#closing.signal;
		for (let failures = 0; !signal.aborted; ) {
			try {
				await this.#step(signal);
				failures = 0;
			} catch (error) {
				if (failures === 0) this.#logger.error({ err: error }, 'the log could not be read: trying on');
				await pause(backOff(failures++, 50, LONGEST_PAUSE_MS), signal);
			}
		}
	}

	async #step(signal: AbortSignal): Promise<void> {
		const oldest = this.#log.startOffset;
		if (this.#offset < oldest) {
			this.#tellGap(this.#offset, oldest);
			this.#offset = oldest;
		}
		const { records, next, gaps } = await this.#log.read(this.#offset, READ);
		if (signal.aborted) return;
		// As one: whoever follows gets the state anew, and once is enough.
		if (gaps.length > 0) this.#tellGap(gaps[0]!.from, gaps.at(-1)!.to + 1);
		const entries = records.map(({ offset, payload }) => ({ position: positionOf(offset), data: payload.toString() }));
		if (entries.length > 0) await this.#give(entries);
		if (next > this.#offset) {
			this.#offset = next;
			return;
		}
		await this.#log.waitFor(next, signal);
		// A closed log does not wait.
		if (this.#log.endOffset <= next) await pause(100, signal);
	}

	async #give(entries: BusEntry[]): Promise<void> {
		try {
			await this.#handle(entries);
		} catch (error) {
			// A tail has nobody to give it to instead: it goes on, and the handler has the position to come back to.
			this.#logger.error({ err: error }, 'a tail failed to take entries');
		}
	}

	/** What was at the offsets from `from` on and before `end` is missing. */
	#tellGap(from: number, end: number): void {
		try {
			this.#onGap?.({ from: from === 0 ? START : String(from), to: String(end) });
		} catch (error) {
			this.#logger.error({ err: error }, 'a tail failed to take a gap');
		}
	}
}
