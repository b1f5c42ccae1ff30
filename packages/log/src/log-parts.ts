/** Composes the parts of an open log. */
import { Appender } from './appender.ts';
import { DiskProbe } from './commit/disk-probe.ts';
import { GroupCommit } from './commit/group-commit.ts';
import type { Countable, RangeCount } from './cursor/cursor-tally.ts';
import { Cursors } from './cursor/cursors.ts';
import type { Gaps } from './cursor/gaps.ts';
import type { DedupWindow } from './dedup/window.ts';
import type { FullOptions } from './options.ts';
import type { CheckpointFile } from './recovery/checkpoint-file.ts';
import { Checkpointer, type CheckpointView } from './recovery/checkpointer.ts';
import type { LogMeta } from './recovery/meta.ts';
import type { Recovered } from './recovery/recovery.ts';
import { FillLevel } from './retention/fill-level.ts';
import { Retention } from './retention/retention.ts';
import { Thinning } from './retention/thinning.ts';
import { LogReader } from './segment/reader.ts';
import { Segments } from './segment/segments.ts';
import { VisibleEnd } from './segment/visible-end.ts';

/**
 * The parts of an open log and how they work together:
 *
 *   appender ─▶ dedup window ─▶ group commit ─▶ segments ─▶ reader
 *                (look-up)      (its thread)        │
 *                                    retention ─────┘ drops the oldest, by size and age, as far as the cursors allow
 *               checkpointer: cursors, gaps and the dedup window, in files beside the segments
 */
export class LogParts implements Countable {
	readonly id: string;
	readonly options: FullOptions;
	readonly segments: Segments;
	readonly gaps: Gaps;
	readonly reader: LogReader;
	readonly visible: VisibleEnd;
	readonly checkpointer: Checkpointer;
	readonly cursors: Cursors;
	readonly fillLevel: FillLevel;
	readonly retention: Retention;
	readonly thinning: Thinning | undefined;
	readonly commits: GroupCommit;
	readonly appender: Appender;
	/** Records stored since the log was opened, counted where they are written rather than from their offsets. */
	appended = 0;
	/** Writes that the disk refused since the log was opened. */
	failures = 0;
	/** Message of the last failed write, until a write succeeds. */
	trouble: string | undefined;
	readonly #disk: DiskProbe;
	readonly #dedup: DedupWindow;
	readonly #openedAt: number;
	/** Log time when it was opened, in seconds. */
	readonly #secondsBefore: number;

	/** `save` writes a checkpoint now. */
	constructor(options: FullOptions, metaFile: CheckpointFile<LogMeta>, found: Recovered, save: () => Promise<void>) {
		this.id = found.id;
		this.options = options;
		this.#openedAt = options.monotonic();
		this.#secondsBefore = found.logTime;
		this.#dedup = found.dedup;
		this.#disk = new DiskProbe(
			options,
			() => this.failures,
			() => {
				this.trouble = undefined;
			},
		);
		this.segments = new Segments(found.segments, found.end);
		this.gaps = found.gaps;
		this.reader = new LogReader(this.segments);
		this.visible = new VisibleEnd(this.segments, options.heldFrom);
		this.checkpointer = new Checkpointer(this.#checkpointView(), metaFile, found.snapshots);
		const markDirty = () => this.checkpointer.markDirty();
		this.cursors = new Cursors(found.cursors, this, markDirty, save);
		this.fillLevel = new FillLevel(options.maxBytes, this.segments, this.cursors);
		this.retention = this.#newRetention();
		this.thinning =
			options.whenFull === 'thin' && options.thin !== undefined ? this.#newThinning(options.thin) : undefined;
		this.commits = this.#newGroupCommit(found);
		this.appender = new Appender({
			options,
			segments: this.segments,
			dedup: this.#dedup,
			gaps: this.gaps,
			retention: this.retention,
			commits: this.commits,
			seconds: () => Math.floor(this.#logTime()),
			onDropped: markDirty,
		});
	}

	get durableEnd(): number {
		return this.segments.end;
	}

	count(from: number, to: number): RangeCount {
		return this.gaps.count(from, to);
	}

	/** Ends all work, then writes cursors and dedup window. @throws when these could not be written. */
	async close(): Promise<void> {
		this.appender.close();
		await this.thinning?.close();
		await this.commits.drain();
		this.visible.wakeAll();
		await this.reader.close();
		await this.checkpointer.close();
	}

	#newRetention(): Retention {
		const { worker } = this.options;
		const options = { ...this.options, mayWait: () => this.thinning?.mayFreeSpace ?? false };
		return new Retention(options, this.segments, this.cursors, this.gaps, ({ path }, end) => {
			this.reader.forget(path);
			this.checkpointer.discard({ path, end, release: () => worker.send({ kind: 'close', file: path }) });
		});
	}

	#newThinning(thread: string): Thinning {
		return new Thinning({
			thread,
			maxBytes: this.options.maxBytes,
			segments: this.segments,
			cursors: this.cursors,
			dropConsumed: (bytes) => this.retention.dropConsumed(bytes),
			saveKeys: (end) => this.checkpointer.saveKeys(end),
			replaced: (old, segment, dropped) => {
				this.segments.replace(old, segment);
				this.retention.dropped.thinned += dropped;
				this.reader.forget(old.path);
			},
		});
	}

	#newGroupCommit(found: Recovered): GroupCommit {
		const { dir, worker, segmentBytes, maxAgeMs, commitEveryMs } = this.options;
		return new GroupCommit(
			{
				...{ dir, logId: found.id, worker, segmentBytes, maxAgeMs, commitEveryMs },
				logTime: () => this.#logTime(),
				onStored: ({ keys, length, records }) => {
					this.trouble = undefined;
					this.appended += records;
					this.#dedup.confirm(keys);
					this.checkpointer.bytesAdded(length);
					this.thinning?.check();
					this.fillLevel.measure(this.#logTime());
					this.visible.moved();
				},
				onFailed: (error, first) => {
					this.trouble = error.message;
					this.failures++;
					this.#dedup.rollback();
					this.gaps.add({ from: first, to: this.commits.nextOffset - 1, reason: 'unwritten' });
					this.checkpointer.markDirty();
				},
			},
			this.segments,
			found.nextOffset,
		);
	}

	#checkpointView(): CheckpointView {
		return {
			meta: (clean) => ({
				id: this.id,
				start: this.segments.start,
				end: this.segments.end,
				next: this.commits.nextOffset,
				logTime: this.#logTime(),
				clean,
				cursors: Object.fromEntries(this.cursors.positions),
				gaps: this.gaps.all(),
			}),
			snapshot: () => ({ window: this.#dedup, offset: this.segments.end, seconds: this.#logTime() }),
			everySecond: () => {
				this.retention.expire(this.#logTime());
				this.thinning?.check();
				this.fillLevel.measure(this.#logTime());
				if (this.trouble !== undefined) void this.#disk.probe();
			},
			failed: (error) => {
				this.trouble = error.message;
			},
		};
	}

	/** Seconds the log has been open, over all its runs. */
	#logTime(): number {
		return this.#secondsBefore + (this.options.monotonic() - this.#openedAt) / 1000;
	}
}
