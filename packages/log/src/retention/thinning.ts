import { rm } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import type { Cursors } from '../cursor/cursors.ts';
import { isThinned, type Segment, thinnedPath } from '../segment/segment.ts';
import type { Segments } from '../segment/segments.ts';
import type { ThinAnswer, ThinRequest } from './thin-segments.ts';

/** Thinning begins above the first share of the size bound and ends below the second. */
const BEGIN_AT = 0.8;
const END_AT = 0.7;
/**
 * A segment is not rewritten while a cursor is within this many offsets before it: the consumer may hold records up to
 * the segment, and would then read records that represent ones it already had. More than any consumer reads at once.
 */
const NEAR = 2000;
const THREAD_MEMORY_MIB = 96;
const TIMEOUT_MS = 60_000;
/**
 * The thread is kept this long: a full log is thinned again and again, and starting a thread costs more than its work.
 */
const THREAD_IDLE_MS = 5000;

export interface ThinningParts {
	/** URL of the module that the thread runs. */
	thread: string;
	maxBytes: number;
	segments: Segments;
	cursors: Cursors;
	/** Drops segments that every consumer has passed, down to `bytes`. */
	dropConsumed: (bytes: number) => void;
	/** Resolves when the dedup keys of all records before `end` are in a snapshot on disk. */
	saveKeys: (end: number) => Promise<void>;
	/** Called when `segment` has replaced `old`, with `dropped` fewer records. */
	replaced: (old: Segment, segment: Segment, dropped: number) => void;
}

/** Makes room by rewriting closed segments with fewer records, the oldest first, one at a time. */
export class Thinning {
	readonly #parts: ThinningParts;
	/** First offsets of segments that are not worth another try. */
	readonly #skipped = new Set<number>();
	#running: Promise<void> | undefined;
	#thread: Worker | undefined;
	#idle: NodeJS.Timeout | undefined;
	#closed = false;

	constructor(parts: ThinningParts) {
		this.#parts = parts;
	}

	/** True while it runs or could run, so that there may be room soon. */
	get mayFreeSpace(): boolean {
		return !this.#closed && (this.#running !== undefined || this.#next() !== undefined);
	}

	/** Starts thinning if the log is full enough. */
	check(): void {
		const { segments, maxBytes } = this.#parts;
		if (this.#running || this.#closed || segments.bytes < maxBytes * BEGIN_AT) return;
		this.#parts.dropConsumed(maxBytes * END_AT);
		if (segments.bytes < maxBytes * BEGIN_AT || !this.#next()) return;
		clearTimeout(this.#idle);
		this.#running = this.#run().finally(() => {
			this.#running = undefined;
			this.#idle = setTimeout(() => void this.#endThread(), THREAD_IDLE_MS).unref();
		});
	}

	/** Resolves when no rewrite is under way. */
	async close(): Promise<void> {
		this.#closed = true;
		await this.#running;
		clearTimeout(this.#idle);
		await this.#endThread();
	}

	async #run(): Promise<void> {
		const { segments, maxBytes } = this.#parts;
		for (
			let segment = this.#next();
			segment && !this.#closed && segments.bytes > maxBytes * END_AT;
			segment = this.#next()
		) {
			await this.#rewrite(segment);
		}
	}

	async #endThread(): Promise<void> {
		const thread = this.#thread;
		this.#thread = undefined;
		await thread?.terminate();
	}

	/** The oldest segment that can be thinned. */
	#next(): Segment | undefined {
		const { list } = this.#parts.segments;
		const positions = [...this.#parts.cursors.positions.values()];
		return list.find((segment, index) => {
			if (index === list.length - 1 || !segment.header || isThinned(segment) || this.#skipped.has(segment.firstOffset))
				return false;
			const end = list[index + 1]!.previousEnd;
			return (
				positions.some((position) => position < end) &&
				positions.every((position) => position >= end || position + NEAR <= segment.firstOffset)
			);
		});
	}

	/** Never rejects. */
	async #rewrite(segment: Segment): Promise<void> {
		const { list } = this.#parts.segments;
		const end = list[list.indexOf(segment) + 1]!.previousEnd;
		const header = segment.header!;
		const target = thinnedPath(segment.path);
		await this.#parts.saveKeys(end);
		const { thinned } = await this.#ask({ file: segment.path, size: segment.size, end, header, target });
		if (!thinned) {
			this.#skipped.add(segment.firstOffset);
			return;
		}
		// The segment was dropped meanwhile.
		if (!list.includes(segment)) return void (await rm(target, { force: true }).catch(() => undefined));
		const { size, dropped } = thinned;
		this.#parts.replaced(
			segment,
			{ ...segment, path: target, size, header: { ...header, thinned: header.thinned + dropped } },
			dropped,
		);
		await rm(segment.path, { force: true }).catch(() => undefined);
	}

	#ask(request: ThinRequest): Promise<ThinAnswer> {
		const thread =
			this.#thread ??
			new Worker(new URL(this.#parts.thread), {
				resourceLimits: { maxOldGenerationSizeMb: THREAD_MEMORY_MIB },
				execArgv: [],
				name: 'log-thin',
			});
		thread.unref();
		this.#thread = thread;
		return new Promise((resolve) => {
			const ended = (skipped: string) => {
				if (this.#thread === thread) this.#thread = undefined;
				settle({ skipped });
			};
			const onError = (error: unknown) => ended((error as Error).message);
			const onExit = () => ended('the thread has ended');
			const timer = setTimeout(() => {
				ended('it took too long');
				void thread.terminate();
			}, TIMEOUT_MS);
			const settle = (answer: ThinAnswer) => {
				clearTimeout(timer);
				thread.off('message', settle).off('error', onError).off('exit', onExit);
				resolve(answer);
			};
			thread.on('message', settle).on('error', onError).on('exit', onExit);
			thread.postMessage(request);
		});
	}
}
