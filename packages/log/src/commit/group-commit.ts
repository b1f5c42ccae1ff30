import { LogWriteError } from '../errors.ts';
import { encodeSegmentHeader, SEGMENT_HEADER, type Segment, segmentPath } from '../segment/segment.ts';
import type { Segments } from '../segment/segments.ts';
import { Batch, type OnDurable } from './batch.ts';
import type { CommitWorker } from './worker.ts';

const MAX_REUSED_BUFFER = 4 * 1024 * 1024;
const SMALL_BUFFER = 16 * 1024;
/** A segment is also closed after 1/8 of the age bound, so that few records outlive the bound with it. */
const SHARE_OF_AGE = 8;

export interface GroupCommitOptions {
	dir: string;
	logId: string;
	worker: CommitWorker;
	segmentBytes: number;
	maxAgeMs: number;
	commitEveryMs: number;
	/** Seconds the log has been open, over all its runs. */
	logTime: () => number;
	/** Called when a batch is on disk, before its waiters. */
	onStored: (batch: Batch) => void;
	/** Called when everything that was not on disk yet, from offset `first` on, has failed; before the waiters. */
	onFailed: (error: LogWriteError, first: number) => void;
}

/** A buffer that grew in a burst is not reused when batches are small again. */
function isWorthReusing(size: number, used: number): boolean {
	return size <= MAX_REUSED_BUFFER && (size <= SMALL_BUFFER || used > size / 8);
}

/**
 * Writes batches, one at a time:
 *
 *   pending batch ─▶ commit thread: write, fdatasync ─▶ waiters are called
 *        ▲                  │
 *        └── records that arrive during a commit go into the next one
 */
export class GroupCommit {
	readonly #options: GroupCommitOptions;
	readonly #segments: Segments;
	#nextOffset: number;
	/** The next batch goes into a new segment, whose name records where the previous one ended. */
	#beginSegment: boolean;
	#pending: Batch | undefined;
	#writing: Batch | undefined;
	#spare: ArrayBuffer | undefined;
	#scheduled: { cancel: () => void } | undefined;
	#draining = false;
	#idle: (() => void) | undefined;

	constructor(options: GroupCommitOptions, segments: Segments, nextOffset: number) {
		this.#options = options;
		this.#segments = segments;
		this.#nextOffset = nextOffset;
		this.#beginSegment = nextOffset !== segments.end;
	}

	/** The offset of the next record. Never given twice, whether the record is stored or not. */
	get nextOffset(): number {
		return this.#nextOffset;
	}

	get pendingBytes(): number {
		return (this.#pending?.length ?? 0) + (this.#writing?.length ?? 0);
	}

	/** True while the newest segment is being written to. */
	get writing(): boolean {
		return this.#writing !== undefined;
	}

	/** The batch for records appended now, with room for `bytes`. Call `added` after adding to it. */
	batchFor(bytes: number): Batch {
		if (this.#pending) this.#pending.reserve(bytes);
		else {
			this.#pending = new Batch(this.#nextOffset, bytes, this.#spare);
			this.#spare = undefined;
		}
		this.#pending.end = this.#nextOffset;
		return this.#pending;
	}

	added(batch: Batch): void {
		this.#nextOffset = batch.end;
		this.#schedule();
	}

	/** Assigns `count` offsets to records that are not stored. */
	skipOffsets(count: number): void {
		this.#nextOffset += count;
	}

	/** Calls back when everything added so far is on disk, or when any of it could not be written. */
	whenDurable(onDurable: OnDurable): void {
		const batch = this.#pending ?? this.#writing;
		if (batch) batch.onDurable(onDurable);
		else onDurable();
	}

	/** Resolves when everything added so far is on disk; rejects when any of it could not be written. */
	durable(): Promise<void> {
		const batch = this.#pending ?? this.#writing;
		return batch ? batch.whenDurable(undefined) : Promise.resolve();
	}

	/** Resolves when nothing is pending or being written, and the file is closed. */
	async drain(): Promise<void> {
		this.#draining = true;
		this.#scheduled?.cancel();
		while (this.#pending || this.#writing) {
			await new Promise<void>((resolve) => {
				this.#idle = resolve;
				this.#schedule();
			});
		}
		if (this.#segments.active) await this.#options.worker.send({ kind: 'close', file: this.#segments.active.path });
	}

	#schedule(): void {
		if (this.#scheduled || this.#writing || !this.#pending) return;
		const commit = () => {
			this.#scheduled = undefined;
			void this.#commit();
		};
		const cancelled = (cancel: () => void) => {
			this.#scheduled = undefined;
			cancel();
		};
		if (this.#options.commitEveryMs > 0 && !this.#draining) {
			const timer = setTimeout(commit, this.#options.commitEveryMs);
			this.#scheduled = { cancel: () => cancelled(() => clearTimeout(timer)) };
		} else {
			// setImmediate: records from other sockets in this turn of the event loop join the batch.
			const immediate = setImmediate(commit);
			this.#scheduled = { cancel: () => cancelled(() => clearImmediate(immediate)) };
		}
	}

	async #commit(): Promise<void> {
		const batch = this.#pending;
		if (!batch) return;
		this.#pending = undefined;
		this.#writing = batch;
		const segment = await this.#segmentFor(batch);
		const answer =
			segment instanceof LogWriteError
				? { error: segment, data: batch.data }
				: await this.#options.worker.send({
						kind: 'write',
						file: segment.path,
						position: segment.size,
						data: batch.data,
						length: batch.length,
					});
		if (answer.data && isWorthReusing(answer.data.byteLength, batch.length)) this.#spare = answer.data;
		this.#writing = undefined;
		if (answer.error) this.#failed(batch, new LogWriteError(answer.error.code, answer.error.message));
		else this.#stored(batch, segment as Segment);
		if (this.#pending) this.#schedule();
		else this.#idle?.();
	}

	#stored(batch: Batch, segment: Segment): void {
		this.#beginSegment = false;
		this.#segments.grow(segment, batch.length, batch.end);
		this.#options.onStored(batch);
		batch.settle();
	}

	/** What came in meanwhile fails with it: a redelivery that waits there may be of a record that has just failed. */
	#failed(batch: Batch, error: LogWriteError): void {
		const later = this.#pending;
		this.#pending = undefined;
		this.#beginSegment = true;
		this.#options.onFailed(error, batch.first);
		batch.settle(error);
		later?.settle(error);
	}

	/**
	 * The segment for the next batch: a new one when the last is full, old or damaged, or when offsets were skipped.
	 */
	async #segmentFor(batch: Batch): Promise<Segment | LogWriteError> {
		const { dir, logId, worker } = this.#options;
		const active = this.#segments.active;
		if (active && this.#takesMore(active)) return active;
		const firstOffset = batch.first;
		const header = { firstOffset, logTime: this.#options.logTime(), logId, thinned: 0, startedAt: batch.firstAt };
		const previousEnd = this.#segments.end;
		const path = segmentPath(dir, firstOffset, previousEnd);
		const data = new ArrayBuffer(SEGMENT_HEADER);
		encodeSegmentHeader(header).copy(Buffer.from(data));
		const { error } = await worker.send({ kind: 'write', file: path, position: 0, data, length: SEGMENT_HEADER });
		if (error) return new LogWriteError(error.code, error.message);
		if (active) await worker.send({ kind: 'close', file: active.path });
		const segment: Segment = { path, firstOffset, previousEnd, header, size: SEGMENT_HEADER };
		this.#segments.begin(segment);
		return segment;
	}

	#takesMore({ header, size }: Segment): boolean {
		if (!header) return false;
		// An empty segment is reused however often a write fails: a full disk must not collect empty files.
		if (size <= SEGMENT_HEADER) return true;
		const age = this.#options.logTime() - header.logTime;
		return (
			!this.#beginSegment && size < this.#options.segmentBytes && age < this.#options.maxAgeMs / 1000 / SHARE_OF_AGE
		);
	}
}
