import { rm } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import type { Cursors } from '../cursor/cursors.ts';
import { isThinned, type Segment, thinnedPath } from '../segment/segment.ts';
import type { Segments } from '../segment/segments.ts';
import type { ThinAnswer, ThinRequest } from './thin-segments.ts';

/** It begins when so much of the bound is used, and ends at the other. */
const BEGIN_AT = 0.8;
const END_AT = 0.7;
/**
 * Records so near before a segment may be in a consumer's hands while it is rewritten; what it then reads on would
 * stand for what it has already had. More than any consumer takes at once.
 */
const NEAR = 2000;
const THREAD_MEMORY_MIB = 96;
const TIMEOUT_MS = 60_000;
/** A full log is thinned again and again; starting a thread costs more than what it does. */
const THREAD_KEPT_MS = 5000;

export interface ThinningParts {
	/** URL of what the thread runs. */
	thread: string;
	maxBytes: number;
	segments: Segments;
	cursors: Cursors;
	/** Gives up what every consumer has passed, down to `bytes`. */
	giveUpConsumed: (bytes: number) => void;
	/** Resolves when the dedup keys of every record before `end` are on disk elsewhere. */
	keepKeys: (end: number) => Promise<void>;
	/** `dropped` records of `old` are gone: readers find the rest in `segment`. */
	replaced: (old: Segment, segment: Segment, dropped: number) => void;
}

/** Makes room by rewriting closed segments with fewer records, the oldest first, one at a time. */
export class Thinning {
	readonly #parts: ThinningParts;
	/** First offsets of those that are not worth another try. */
	readonly #spared = new Set<number>();
	#running: Promise<void> | undefined;
	#thread: Worker | undefined;
	#idle: NodeJS.Timeout | undefined;
	#closed = false;

	constructor(parts: ThinningParts) {
		this.#parts = parts;
	}

	/** True while it is at work, or could be: then there may be room soon. */
	get hopeful(): boolean {
		return !this.#closed && (this.#running !== undefined || this.#next() !== undefined);
	}

	/** Begins where it is time to. */
	look(): void {
		const { segments, maxBytes } = this.#parts;
		if (this.#running || this.#closed || segments.bytes < maxBytes * BEGIN_AT) return;
		this.#parts.giveUpConsumed(maxBytes * END_AT);
		if (segments.bytes < maxBytes * BEGIN_AT || !this.#next()) return;
		clearTimeout(this.#idle);
		this.#running = this.#run().finally(() => {
			this.#running = undefined;
			this.#idle = setTimeout(() => void this.#endThread(), THREAD_KEPT_MS).unref();
		});
	}

	/** Resolves when nothing is being rewritten any more. */
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
			if (index === list.length - 1 || !segment.header || isThinned(segment) || this.#spared.has(segment.firstOffset))
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
		await this.#parts.keepKeys(end);
		const { thinned } = await this.#ask({ file: segment.path, size: segment.size, end, header, target });
		if (!thinned) {
			this.#spared.add(segment.firstOffset);
			return;
		}
		// It was given up meanwhile.
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
			const ended = (spared: string) => {
				if (this.#thread === thread) this.#thread = undefined;
				settle({ spared });
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
