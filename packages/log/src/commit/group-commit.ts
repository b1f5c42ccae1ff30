import { encodeSegmentHeader, SEGMENT_HEADER, type Segment, segmentPath } from '../segment/segment.ts';
import type { Segments } from '../segment/segments.ts';
import { LogWriteError } from '../types.ts';
import { Batch } from './batch.ts';
import type { CommitWorker } from './commit-worker.ts';

const LARGEST_KEPT_BUFFER = 4 * 1024 * 1024;
const SMALL_BUFFER = 16 * 1024;
/** A segment is also closed after this share of the age bound, so that little outlives the bound with it. */
const SHARE_OF_AGE = 8;

export interface GroupCommitOptions {
	dir: string;
	logId: string;
	worker: CommitWorker;
	segmentBytes: number;
	maxAgeMs: number;
	commitEveryMs: number;
	/** Seconds the log was open, over all its runs. */
	logTime: () => number;
	/** A batch is on disk; called before anybody who waits for it is told. */
	onStored: (batch: Batch) => void;
	/** Everything that was not on disk yet has failed, from offset `first` on; called before anybody is told. */
	onFailed: (error: LogWriteError, first: number) => void;
}

/** A buffer that was grown for a burst is let go when batches are small again. */
function isWorthKeeping(size: number, used: number): boolean {
	return size <= LARGEST_KEPT_BUFFER && (size <= SMALL_BUFFER || used > size / 8);
}

/**
 * Writes batches, one at a time:
 *
 *   pending batch ─▶ commit thread: write, fdatasync ─▶ whoever waits is told
 *        ▲                  │
 *        └── what comes in while one commit runs goes into the next
 */
export class GroupCommit {
	readonly #options: GroupCommitOptions;
	readonly #segments: Segments;
	#nextOffset: number;
	/** What follows goes into a new segment, whose name says where the one before ended. */
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

	/** The offset that the next record gets. Never given twice, whatever becomes of the record. */
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

	/** The batch that takes what is appended now, with room for `bytes`. After adding to it call `added`. */
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

	/** Gives `count` offsets to records that are not stored. */
	leaveOut(count: number): void {
		this.#nextOffset += count;
	}

	/** Resolves when everything added so far is on disk; rejects when any of it could not be written. */
	durable(): Promise<void> {
		const batch = this.#pending ?? this.#writing;
		return batch ? batch.settled(undefined) : Promise.resolve();
	}

	/** Resolves when nothing waits and nothing is being written; the file is closed. */
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
			// setImmediate: what the other sockets of this turn of the event loop bring still comes along.
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
		if (answer.data && isWorthKeeping(answer.data.byteLength, batch.length)) this.#spare = answer.data;
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
	 * The segment the next batch goes into, begun anew where the last one is full, old or damaged, or offsets were left
	 * out.
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
		// One that is still empty serves however often a write fails: a full disk must not be strewn with empty files.
		if (size <= SEGMENT_HEADER) return true;
		const age = this.#options.logTime() - header.logTime;
		return (
			!this.#beginSegment && size < this.#options.segmentBytes && age < this.#options.maxAgeMs / 1000 / SHARE_OF_AGE
		);
	}
}
