import { join } from 'node:path';
import type { Settled } from './commit/batch.ts';
import { GroupCommit } from './commit/group-commit.ts';
import type { CursorAccount, Due } from './cursor/cursor-tally.ts';
import { Cursors } from './cursor/cursors.ts';
import { exactGaps } from './cursor/exact-gaps.ts';
import type { Gaps } from './cursor/gaps.ts';
import type { DedupWindow, Verdict } from './dedup/dedup-window.ts';
import { CheckpointFile } from './recovery/checkpoint-file.ts';
import { Keeper } from './recovery/checkpointer.ts';
import type { LogMeta } from './recovery/meta.ts';
import { type Recovered, recover } from './recovery/recovery.ts';
import { scrub } from './recovery/scrub.ts';
import { Forecast } from './retention/forecast.ts';
import { Retention } from './retention/retention.ts';
import { Thinning } from './retention/thinning.ts';
import { LogReader, type ReadLimits } from './segment/reader.ts';
import { type DedupKey, encodedBound, type LogRecord, tooLarge } from './segment/record.ts';
import { Segments } from './segment/segments.ts';
import { Waiters } from './segment/waiters.ts';
import {
	type Appended,
	type AppendRecord,
	type Cursor,
	type Gap,
	type Incident,
	LogFullError,
	type LogOptions,
	type LogStats,
	LogWriteError,
} from './types.ts';

export interface ReadResult {
	records: LogRecord[];
	/** Where to read on. */
	next: number;
	/** What is missing between where the read began and `next`, in order. */
	gaps: Gap[];
}

type Optional = 'onIncident' | 'heldFrom' | 'amend' | 'thin';
type FullOptions = Required<Omit<LogOptions, 'dedup' | Optional>> & Pick<LogOptions, Optional>;

const MIB = 1024 * 1024;
const DAY_MS = 24 * 3600_000;
const MOST_PENDING = 16 * MIB;

/**
 * The durable log.
 *
 *   append ─▶ dedup window ─▶ group commit ─▶ segments ─▶ reader ─▶ read
 *                (look)       (its thread)        │
 *                                  retention ─────┘ gives up the oldest, by bytes and age and as the cursors allow
 *             keeper: cursors, gaps and the dedup window, beside the segments
 */
export class Log {
	readonly id: string;
	readonly #options: FullOptions;
	readonly #segments: Segments;
	readonly #dedup: DedupWindow;
	readonly #commits: GroupCommit;
	readonly #reader: LogReader;
	readonly #cursors: Cursors;
	readonly #gaps: Gaps;
	readonly #retention: Retention;
	readonly #keeper: Keeper;
	readonly #waiters = new Waiters();
	readonly #forecast: Forecast;
	readonly #thinning: Thinning | undefined;
	readonly #openedAt: number;
	readonly #secondsBefore: number;
	readonly #closing = new AbortController();
	#appended = 0;
	/** Readers see nothing from this offset on. */
	#heldFrom: number;
	#incidents = 0;
	#trouble: string | undefined;
	#closed: Promise<void> | undefined;

	private constructor(options: FullOptions, metaFile: CheckpointFile<LogMeta>, found: Recovered) {
		const { dir, worker, segmentBytes, maxAgeMs, commitEveryMs } = options;
		this.#options = options;
		this.#openedAt = options.monotonic();
		this.#forecast = new Forecast(options.maxBytes);
		this.#heldFrom = options.heldFrom ?? Number.POSITIVE_INFINITY;
		this.id = found.id;
		this.#secondsBefore = found.logTime;
		this.#segments = new Segments(found.segments, found.end);
		this.#dedup = found.dedup;
		this.#gaps = found.gaps;
		this.#reader = new LogReader(this.#segments);
		this.#keeper = new Keeper(
			{
				meta: (clean) => this.#meta(clean),
				snapshot: () => ({ window: this.#dedup, offset: this.#segments.end, seconds: this.#logTime() }),
				everySecond: () => {
					this.#retention.expire(this.#logTime());
					this.#thinning?.look();
					this.#measure();
				},
				failed: (error) => {
					this.#trouble = error.message;
				},
			},
			metaFile,
			found.snapshots,
		);
		this.#cursors = new Cursors(
			found.cursors,
			this,
			() => this.#keeper.touch(),
			() => this.#save(),
		);
		const retained = { ...options, mayWait: () => this.#thinning?.hopeful ?? false };
		this.#retention = new Retention(retained, this.#segments, this.#cursors, this.#gaps, ({ path }, end) => {
			this.#reader.forget(path);
			this.#keeper.discard({ path, end, release: () => worker.send({ kind: 'close', file: path }) });
		});
		this.#thinning =
			options.whenFull === 'thin' && options.thin !== undefined ? this.#startThinning(options.thin) : undefined;
		this.#commits = new GroupCommit(
			{
				dir,
				logId: found.id,
				worker,
				segmentBytes,
				maxAgeMs,
				commitEveryMs,
				logTime: () => this.#logTime(),
				onStored: ({ keys, length, records }) => {
					this.#trouble = undefined;
					this.#appended += records;
					this.#dedup.confirm(keys);
					this.#keeper.grown(length);
					this.#thinning?.look();
					this.#measure();
					this.#waiters.reached(this.endOffset);
				},
				onFailed: (error, first) => {
					this.#trouble = error.message;
					this.#dedup.rollback();
					this.#gaps.add({ from: first, to: this.nextOffset - 1, reason: 'unwritten' });
					this.#keeper.touch();
				},
			},
			this.#segments,
			found.nextOffset,
		);
	}

	/**
	 * Opens or creates the log in `options.dir`, repairing what a crash or a bad disk left. Takes time in proportion to
	 * one segment and the records since the last dedup snapshot, not to the log. One process at a time may have a log
	 * open.
	 */
	static async open(options: LogOptions): Promise<Log> {
		const full = withDefaults(options);
		const metaFile = new CheckpointFile<LogMeta>(join(options.dir, 'meta'));
		const found = recover(options.dir, metaFile, options.dedup ?? {});
		const log = new Log(full, metaFile, found);
		for (const incident of found.incidents) log.#tell(incident);
		try {
			log.#keeper.begin();
		} catch (error) {
			// A full disk is no reason not to serve what is there.
			log.#trouble = (error as Error).message;
			log.#tell({ what: 'write-failed', file: join(options.dir, 'meta') });
		}
		void scrub(
			(from, limits) => log.read(from, limits),
			log.startOffset,
			log.#segments.active?.firstOffset ?? 0,
			log.#closing.signal,
		);
		return log;
	}

	/** The offset that the next record appended will get. No offset is ever given to two records. */
	get nextOffset(): number {
		return this.#commits.nextOffset;
	}

	/** End of what is durable and not held back: the offset after the last record that readers see. */
	get endOffset(): number {
		return Math.min(this.#segments.end, Math.max(this.#heldFrom, this.#segments.start));
	}

	/** End of what is durable, also of what readers do not see yet. */
	get durableEnd(): number {
		return this.#segments.end;
	}

	/** Durable records that readers do not see yet, and offsets among them that have none. */
	get heldBack(): number {
		return this.#segments.end - this.endOffset;
	}

	/**
	 * From now on readers see nothing from `offset` on: cursors stay before it, whatever is appended is stored and
	 * acknowledged as ever. Not kept across a restart: whoever holds says so again when the log is opened.
	 */
	holdFrom(offset: number): void {
		this.#heldFrom = offset;
	}

	/** Readers see everything again. */
	letGo(): void {
		this.#heldFrom = Number.POSITIVE_INFINITY;
		this.#waiters.reached(this.endOffset);
	}

	/** First offset that is still held. */
	get startOffset(): number {
		return this.#segments.start;
	}

	/** Records stored since the log was opened: counted where they are written, not from their offsets. */
	get appended(): number {
		return this.#appended;
	}

	/**
	 * What is known of the offsets from `from` on and before `to`: how many records are held there, and how many are
	 * lost.
	 */
	due(from: number, to: number): Due {
		return this.#gaps.due(from, to);
	}

	/** Why there is no record at this offset any more; undefined where there is one, never was, or nothing is known. */
	missing(offset: number): Gap['reason'] | undefined {
		return this.#gaps.within(offset, offset + 1)[0]?.reason;
	}

	/** Judges a key against the dedup window, including records that are still on their way to the disk. */
	look(key: DedupKey): Verdict {
		return this.#dedup.look(key, this.#seconds());
	}

	/**
	 * Appends in one go: all of them or none. Resolves when they are on disk.
	 * @throws LogFullError, LogWriteError or, for a payload over 1 MiB or a source or boot over 255 bytes, RangeError,
	 * always as a rejection.
	 */
	append(records: readonly AppendRecord[]): Promise<Appended> {
		if (this.#closed) return rejected(new LogWriteError('ECLOSED', 'the log is closed'));
		const count = records.length;
		let bound = 0;
		for (const { payload, key } of records) {
			const problem = tooLarge(payload, key);
			if (problem) return rejected(new RangeError(problem));
			bound += encodedBound(payload, key);
		}
		if (count === 0) return Promise.resolve({ first: this.nextOffset, count, dropped: false });
		const pending = this.#commits.pendingBytes;
		if (pending + bound > MOST_PENDING)
			return rejected(new LogFullError(`${pending} bytes wait for the disk, at most ${MOST_PENDING} may`));
		if (!this.#retention.makeRoom(pending + bound, this.#commits.writing)) return this.#full(records);
		const batch = this.#commits.batchFor(bound);
		const first = batch.end;
		const seconds = this.#seconds();
		for (const { payload, at, key } of records) {
			batch.push(at ?? Date.now(), seconds, payload, key);
			if (key) this.#dedup.remember(key, seconds);
		}
		this.#commits.added(batch);
		return batch.settled({ first, count, dropped: false });
	}

	/**
	 * As `append`, of one record, for who does it tens of thousands of times a second: `settled` is called once, without
	 * an error when the record is on disk (or was dropped by the policy, which it is told), and at once where it is
	 * refused.
	 */
	enqueue(payload: Buffer | string, at: number, key: DedupKey | undefined, settled: Settled): void {
		const bound = encodedBound(payload, key);
		const pending = this.#commits.pendingBytes + bound;
		if (
			this.#closed ||
			tooLarge(payload, key) ||
			pending > MOST_PENDING ||
			!this.#retention.makeRoom(pending, this.#commits.writing)
		) {
			// Not the usual case: `append` knows why, and says it.
			this.append([{ payload, at, key }]).then(({ dropped }) => settled(undefined, dropped), settled);
			return;
		}
		const batch = this.#commits.batchFor(bound);
		const seconds = this.#seconds();
		batch.push(at, seconds, payload, key);
		if (key) this.#dedup.remember(key, seconds);
		batch.whenSettled(settled);
		this.#commits.added(batch);
	}

	/** Resolves when everything appended so far is on disk; rejects when any of it could not be written. */
	durable(): Promise<void> {
		return this.#commits.durable();
	}

	/**
	 * Reads durable records from `from` on.
	 * @throws LogWriteError `ECLOSED` when the log is closed.
	 */
	async read(from: number, limits?: ReadLimits): Promise<ReadResult> {
		if (this.#closed) throw new LogWriteError('ECLOSED', 'the log is closed');
		const until = limits?.held ? Number.POSITIVE_INFINITY : this.#heldFrom;
		const { records, next, lost, thinned } = await this.#reader.read(from, limits, until);
		const { amend } = this.#options;
		if (amend) for (const record of records) amend(record);
		for (const range of lost) {
			for (const fresh of this.#gaps.add({ ...range, reason: 'damaged' })) {
				this.#keeper.touch();
				this.#tell({ what: 'damaged-record', file: this.#options.dir, lost: { from: fresh.from, to: fresh.to } });
			}
		}
		return { records, next, gaps: exactGaps(this.#gaps.within(from, next), thinned, records) };
	}

	/** Resolves when a record at `offset` or later is durable, or `signal` aborts, or the log closes. */
	waitFor(offset: number, signal?: AbortSignal): Promise<void> {
		if (this.endOffset > offset || signal?.aborted || this.#closed) return Promise.resolve();
		return this.#waiters.wait(offset, signal);
	}

	/** The cursor of that name, begun at `start` (default: the first offset still held) when it is new. */
	cursor(name: string, start = this.startOffset): Cursor {
		return this.#cursors.open(name, start);
	}

	/** Names and positions of all cursors. */
	cursors(): ReadonlyMap<string, number> {
		return this.#cursors.positions;
	}

	/** The books of the cursors that were opened, by name. */
	accounts(): ReadonlyMap<string, CursorAccount> {
		return this.#cursors.accounts;
	}

	stats(): LogStats {
		return {
			bytes: this.#segments.bytes,
			maxBytes: this.#options.maxBytes,
			segments: this.#segments.list.length,
			startOffset: this.startOffset,
			endOffset: this.endOffset,
			appended: this.#appended,
			dropped: { ...this.#retention.dropped },
			heldBytes: this.#heldBytes(),
			hoursToFull: this.#forecast.hours,
			incidents: this.#incidents,
			pendingBytes: this.#commits.pendingBytes,
			trouble: this.#trouble,
		};
	}

	/** Resolves when everything appended so far is on disk or has failed, and the cursors are written. */
	async flush(): Promise<void> {
		await this.durable().catch(() => undefined);
		await this.#save();
	}

	/**
	 * Commits what is pending, then writes cursors and dedup window so that the next start has nothing to repair.
	 * @throws when these could not be written; what was acknowledged is on disk all the same.
	 */
	close(): Promise<void> {
		this.#closed ??= this.#close();
		return this.#closed;
	}

	async #close(): Promise<void> {
		this.#closing.abort();
		await this.#thinning?.close();
		await this.#commits.drain();
		this.#waiters.wakeAll();
		await this.#reader.close();
		await this.#keeper.close();
	}

	/** What becomes of records for which there is no room. */
	#full(records: readonly AppendRecord[]): Promise<Appended> {
		const count = records.length;
		const { bytes } = this.#segments;
		const { maxBytes, whenFull } = this.#options;
		if (whenFull !== 'drop-newest') {
			// With drop-oldest: all there is, is being written just now.
			return rejected(
				new LogFullError(`the log holds ${bytes} of at most ${maxBytes} bytes, and none that could be given up`),
			);
		}
		const first = this.nextOffset;
		this.#commits.leaveOut(count);
		this.#gaps.add({
			from: first,
			to: first + count - 1,
			reason: 'dropped-newest',
			firstAt: records[0]!.at,
			lastAt: records.at(-1)!.at,
		});
		this.#retention.dropped.newest += count;
		this.#keeper.touch();
		return Promise.resolve({ first, count, dropped: true });
	}

	/**
	 * Bytes of the segments that some cursor has not passed; of the one that the slowest stands in, the part behind it.
	 */
	#heldBytes(): number {
		const slowest = this.#cursors.slowest();
		if (slowest === Number.POSITIVE_INFINITY) return 0;
		const { list, end } = this.#segments;
		return list.reduce((sum, { firstOffset, size }, index) => {
			const after = list[index + 1]?.previousEnd ?? end;
			if (slowest >= after) return sum;
			return sum + size * Math.min(1, (after - slowest) / Math.max(1, after - firstOffset));
		}, 0);
	}

	/** Now and then looks how much must be held. */
	#measure(): void {
		const at = this.#logTime();
		if (this.#forecast.due(at)) this.#forecast.add(at, this.#heldBytes());
	}

	#startThinning(thread: string): Thinning {
		return new Thinning({
			thread,
			maxBytes: this.#options.maxBytes,
			segments: this.#segments,
			cursors: this.#cursors,
			giveUpConsumed: (bytes) => this.#retention.giveUpConsumed(bytes),
			keepKeys: (end) => this.#keeper.keepKeys(end),
			replaced: (old, segment, dropped) => {
				this.#segments.replace(old, segment);
				this.#retention.dropped.thinned += dropped;
				this.#reader.forget(old.path);
			},
		});
	}

	#save(): Promise<void> {
		return this.#closed ? this.#closed : this.#keeper.write();
	}

	#logTime(): number {
		return this.#secondsBefore + (this.#options.monotonic() - this.#openedAt) / 1000;
	}

	/** Log time as the dedup window counts it. */
	#seconds(): number {
		return Math.floor(this.#logTime());
	}

	#meta(clean: boolean): LogMeta {
		return {
			id: this.id,
			start: this.startOffset,
			end: this.#segments.end,
			next: this.nextOffset,
			logTime: this.#logTime(),
			clean,
			cursors: Object.fromEntries(this.#cursors.positions),
			gaps: this.#gaps.all(),
		};
	}

	#tell(incident: Incident): void {
		this.#incidents++;
		try {
			this.#options.onIncident?.(incident);
		} catch {
			// A listener's own trouble must not become the log's.
		}
	}
}

function withDefaults(options: LogOptions): FullOptions {
	const maxBytes = options.maxBytes ?? 512 * MIB;
	return {
		...options,
		maxBytes,
		maxAgeMs: options.maxAgeMs ?? 7 * DAY_MS,
		whenFull: options.whenFull ?? 'refuse',
		segmentBytes: Math.min(options.segmentBytes ?? Math.min(8 * MIB, Math.max(64 * 1024, maxBytes / 16)), maxBytes / 4),
		commitEveryMs: options.commitEveryMs ?? 0,
		monotonic: options.monotonic ?? (() => performance.now()),
	};
}

/** A rejection that nobody need wait for. */
function rejected(error: Error): Promise<never> {
	const promise = Promise.reject(error);
	promise.catch(() => undefined);
	return promise;
}
