/** The durable log: appends, reads and cursors. */
import { join } from 'node:path';
import type { Appended, AppendRecord } from './appender.ts';
import type { OnDurable } from './commit/batch.ts';
import type { CursorTally } from './cursor/cursor-tally.ts';
import type { Cursor } from './cursor/cursors.ts';
import { exactGaps } from './cursor/exact-gaps.ts';
import type { Gap } from './cursor/gaps.ts';
import type { Verdict } from './dedup/window.ts';
import { closedError } from './errors.ts';
import { LogParts } from './log-parts.ts';
import { type FullOptions, type LogOptions, withDefaults } from './options.ts';
import { CheckpointFile } from './recovery/checkpoint-file.ts';
import type { Incident } from './recovery/incident.ts';
import type { LogMeta } from './recovery/meta.ts';
import { type Recovered, recover } from './recovery/recovery.ts';
import { scrub } from './recovery/scrub.ts';
import type { PayloadLines } from './segment/payload-lines.ts';
import type { ReadLimits, RecordTaker } from './segment/reader.ts';
import { type DedupKey, type LogRecord, recordAt } from './segment/record.ts';
import type { RecordImage } from './segment/record-image.ts';
import type { LogStats } from './stats.ts';

export interface ReadResult {
	records: LogRecord[];
	/** The offset to read on from. */
	next: number;
	/** What is missing between the start of the read and `next`, in order. */
	gaps: Gap[];
}

/** The durable log. How its parts work together is drawn in log-parts.ts. */
export class Log {
	readonly #parts: LogParts;
	readonly #closing = new AbortController();
	#incidents = 0;
	#closed: Promise<void> | undefined;

	private constructor(options: FullOptions, metaFile: CheckpointFile<LogMeta>, found: Recovered) {
		this.#parts = new LogParts(options, metaFile, found, () => this.#save());
	}

	/**
	 * Opens or creates the log in `options.dir` and repairs what a crash or a bad disk left. The time this takes depends
	 * on one segment and on the records since the last dedup snapshot, not on the size of the log. Only one process at a
	 * time may have a log open.
	 */
	static async open(options: LogOptions): Promise<Log> {
		const full = withDefaults(options);
		const metaFile = new CheckpointFile<LogMeta>(join(options.dir, 'meta'));
		const found = recover(options.dir, metaFile, options.dedup ?? {});
		const log = new Log(full, metaFile, found);
		for (const incident of found.incidents) log.#report(incident);
		try {
			log.#parts.checkpointer.markOpen();
		} catch (error) {
			// A full disk does not keep the log from serving what is there.
			log.#parts.trouble = (error as Error).message;
			log.#report({ what: 'write-failed', file: join(options.dir, 'meta') });
		}
		void scrub(
			(from, limits) => log.read(from, limits),
			log.startOffset,
			log.#parts.segments.active?.firstOffset ?? 0,
			log.#closing.signal,
		);
		return log;
	}

	get id(): string {
		return this.#parts.id;
	}

	/** The offset of the next appended record. No offset is ever given to two records. */
	get nextOffset(): number {
		return this.#parts.commits.nextOffset;
	}

	/** The offset after the last record that is durable and visible to readers. */
	get endOffset(): number {
		return this.#parts.visible.end;
	}

	/** The offset after the last durable record, visible or not. */
	get durableEnd(): number {
		return this.#parts.durableEnd;
	}

	/** Number of durable offsets that readers do not see yet. */
	get heldBack(): number {
		return this.durableEnd - this.endOffset;
	}

	/**
	 * Hides records from `offset` on: cursors stay before it, while appends are stored and acknowledged as usual. Not
	 * kept across a restart: pass `heldFrom` when the log is opened again.
	 */
	holdFrom(offset: number): void {
		this.#parts.visible.holdFrom(offset);
	}

	/** Shows all records again. */
	release(): void {
		this.#parts.visible.release();
	}

	/** The first offset that is still held. */
	get startOffset(): number {
		return this.#parts.segments.start;
	}

	/** Records stored since the log was opened, counted where they are written rather than from their offsets. */
	get appended(): number {
		return this.#parts.appended;
	}

	/** Why the record at this offset is gone; undefined where it is there, never was, or nothing is known. */
	missing(offset: number): Gap['reason'] | undefined {
		return this.#parts.gaps.within(offset, offset + 1)[0]?.reason;
	}

	/** Looks a key up in the dedup window, which includes records that are still on their way to the disk. */
	lookUp(key: DedupKey): Verdict {
		return this.#parts.appender.lookUp(key);
	}

	/**
	 * Appends all of the records or none. Resolves when they are on disk.
	 * @throws LogFullError, LogWriteError or, for a payload over 1 MiB or a source or boot over 255 bytes, RangeError;
	 * always as a rejection.
	 */
	append(records: readonly AppendRecord[]): Promise<Appended> {
		return this.#parts.appender.append(records);
	}

	/**
	 * As `append` with one record, for callers with tens of thousands of records per second. Calls `onDurable` once:
	 * without an error when the record is on disk, or was dropped by the policy (second argument), else with the error.
	 */
	enqueue(payload: Buffer | string, at: number, key: DedupKey | undefined, onDurable: OnDurable): void {
		this.#parts.appender.enqueue(payload, at, key, onDurable);
	}

	/**
	 * As `enqueue`, for a record whose bytes are ready: they are completed and copied, and the image may then be changed.
	 * It must not be larger than a record may be. False if there is no room or the log is closed: `enqueue` says why.
	 * `whenDurable` tells when it is on disk.
	 */
	enqueueImage(image: RecordImage, at: number): boolean {
		return this.#parts.appender.enqueueImage(image, at);
	}

	/**
	 * Whether records of so many bytes would all be taken if they were enqueued in this turn of the event loop; they then
	 * reach the disk in one commit. Drops old records for them where the policy says so.
	 */
	hasRoom(bytes: number): boolean {
		return this.#parts.appender.hasRoom(bytes);
	}

	/** Calls back once: when everything appended so far is on disk, else with the error of what could not be written. */
	whenDurable(onDurable: OnDurable): void {
		this.#parts.commits.whenDurable(onDurable);
	}

	/** Resolves when everything appended so far is on disk; rejects when any of it could not be written. */
	durable(): Promise<void> {
		return this.#parts.commits.durable();
	}

	/**
	 * Reads durable records from `from` on.
	 * @throws LogWriteError `ECLOSED` when the log is closed.
	 */
	async read(from: number, limits?: ReadLimits): Promise<ReadResult> {
		const { amend } = this.#parts.options;
		const records: LogRecord[] = [];
		const taker: RecordTaker = {
			take: (bytes, position, length) => {
				const record = recordAt(bytes, position, length);
				const size = record.payload.length;
				amend?.(record);
				records.push(record);
				return size;
			},
		};
		return { records, ...(await this.#read(from, limits ?? {}, taker, records)) };
	}

	/**
	 * As `read`, but copies the payloads into `lines`, whose earlier content is gone. Payloads must not contain newlines.
	 * Only one read into `lines` at a time.
	 * @throws as `read`
	 */
	readLines(from: number, limits: ReadLimits, lines: PayloadLines): Promise<Omit<ReadResult, 'records'>> {
		const { amend, mayAmend = () => true } = this.#parts.options;
		lines.begin(amend && { amend, mayAmend });
		return this.#read(from, limits, lines, lines.records);
	}

	/** Reads with `taker`, which adds to `records`. */
	async #read(
		from: number,
		limits: ReadLimits,
		taker: RecordTaker,
		records: readonly { offset: number; at: number }[],
	): Promise<Omit<ReadResult, 'records'>> {
		if (this.#closed) throw closedError();
		const { reader, visible, gaps, checkpointer, options } = this.#parts;
		const until = limits.held ? Number.POSITIVE_INFINITY : visible.heldFrom;
		const { next, lost, thinned } = await reader.read(from, limits, until, taker);
		for (const range of lost) {
			for (const fresh of gaps.add({ ...range, reason: 'damaged' })) {
				checkpointer.markDirty();
				this.#report({ what: 'damaged-record', file: options.dir, lost: { from: fresh.from, to: fresh.to } });
			}
		}
		return { next, gaps: exactGaps(gaps.within(from, next), thinned, records) };
	}

	/** Resolves when a record at `offset` or later is visible, or `signal` aborts, or the log closes. */
	waitFor(offset: number, signal?: AbortSignal): Promise<void> {
		if (this.endOffset > offset || signal?.aborted || this.#closed) return Promise.resolve();
		return this.#parts.visible.wait(offset, signal);
	}

	/** The cursor of that name. A new one begins at `start`, by default the first offset still held. */
	cursor(name: string, start = this.startOffset): Cursor {
		return this.#parts.cursors.open(name, start);
	}

	/** Names and positions of all cursors. */
	cursors(): ReadonlyMap<string, number> {
		return this.#parts.cursors.positions;
	}

	/** The tallies of the cursors that were opened, by name. */
	tallies(): ReadonlyMap<string, CursorTally> {
		return this.#parts.cursors.tallies;
	}

	stats(): LogStats {
		const { segments, options, retention, fillLevel, commits } = this.#parts;
		return {
			bytes: segments.bytes,
			maxBytes: options.maxBytes,
			segments: segments.list.length,
			startOffset: this.startOffset,
			endOffset: this.endOffset,
			appended: this.appended,
			dropped: { ...retention.dropped },
			heldBytes: fillLevel.heldBytes,
			hoursToFull: fillLevel.hoursToFull,
			incidents: this.#incidents,
			pendingBytes: commits.pendingBytes,
			failures: this.#parts.failures,
			trouble: this.#parts.trouble,
		};
	}

	/** Resolves when everything appended so far is on disk or has failed, and the cursors are written. */
	async flush(): Promise<void> {
		await this.durable().catch(() => undefined);
		await this.#save();
	}

	/**
	 * Commits what is pending, then writes cursors and dedup window so that the next start has nothing to repair.
	 * @throws when these could not be written; acknowledged records are on disk all the same.
	 */
	close(): Promise<void> {
		this.#closed ??= this.#close();
		return this.#closed;
	}

	async #close(): Promise<void> {
		this.#closing.abort();
		await this.#parts.close();
	}

	#save(): Promise<void> {
		return this.#closed ? this.#closed : this.#parts.checkpointer.write();
	}

	#report(incident: Incident): void {
		this.#incidents++;
		try {
			this.#parts.options.onIncident?.(incident);
		} catch {
			// An error of the listener is not the log's.
		}
	}
}
