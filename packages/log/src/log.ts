import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Batch } from './batch.ts';
import { CheckpointFile } from './checkpoint-file.ts';
import type { CommitWorker } from './commit-worker.ts';
import { encodeSnapshot } from './dedup-snapshot.ts';
import type { DedupOptions, DedupWindow, Verdict } from './dedup-window.ts';
import { LogReader, type ReadLimits, type ReadResult } from './reader.ts';
import { type DedupKey, encodedBound, MAX_PAYLOAD } from './record.ts';
import { type Gap, type Incident, type LogMeta, latestSecond, type Recovered, recover } from './recovery.ts';
import { encodeSegmentHeader, SEGMENT_HEADER, type Segment, segmentPath } from './segment.ts';
import type { SnapshotFiles } from './snapshot-files.ts';

export type WhenFull = 'refuse' | 'drop-oldest' | 'drop-newest';

export interface LogOptions {
	dir: string;
	worker: CommitWorker;
	/** Bound of the segments' bytes. Default 512 MiB. */
	maxBytes?: number;
	/** Records older than this, in time the log was open, are given up. Default 7 days. */
	maxAgeMs?: number;
	/** What happens to an append that finds no room. Default refuse. */
	whenFull?: WhenFull;
	/** A segment is closed at this size. Default 1/16 of maxBytes, 64 KiB to 8 MiB. */
	segmentBytes?: number;
	/** How long a commit waits for company. Default 0: what comes in while one runs goes into the next. */
	commitEveryMs?: number;
	dedup?: Partial<DedupOptions>;
	/** Told of everything found damaged, at the start and later. */
	onIncident?: (incident: Incident) => void;
}

export interface AppendRecord {
	/** At most 1 MiB. */
	payload: Buffer | string;
	/** Epoch ms; default now. */
	at?: number;
	key?: DedupKey;
}

export interface Appended {
	/** Offset of the first record; the others follow without a hole. */
	first: number;
	count: number;
	/** True where the policy `drop-newest` threw them away. */
	dropped: boolean;
}

/** No room, and the policy is `refuse`; or more waits for the disk than may. Nothing was stored. */
export class LogFullError extends Error {}
/** The disk refused the write. Nothing was stored. */
export class LogWriteError extends Error {
	readonly code: string;
	constructor(code: string, message: string) {
		super(message);
		this.code = code;
	}
}

/** A consumer's place in the log: the next offset it wants. Kept across restarts; after a crash it may be up to a second old. */
export interface Cursor {
	readonly name: string;
	readonly position: number;
	/** Everything before `next` is done with. Moving back is allowed. */
	commit(next: number): void;
	/** Resolves when the position was handed to the file system. */
	flush(): Promise<void>;
	/** Forgets it: the log no longer keeps anything for it. */
	remove(): void;
}

export interface LogStats {
	bytes: number;
	maxBytes: number;
	segments: number;
	startOffset: number;
	endOffset: number;
	/** Records given up, by reason, since the log was opened. */
	dropped: Record<'oldest' | 'newest' | 'expired', number>;
	/** Incidents since the log was opened. */
	incidents: number;
	/** Bytes that wait for the disk. */
	pendingBytes: number;
	/** Message of the last failed write, until one succeeds. */
	trouble: string | undefined;
}

type FullOptions = Required<Omit<LogOptions, 'dedup' | 'onIncident'>> & Pick<LogOptions, 'dedup' | 'onIncident'>;

const MIB = 1024 * 1024;
const LARGEST_KEPT_BUFFER = 4 * MIB;
const MOST_PENDING = 16 * MIB;
const META_EVERY_MS = 1000;
const SNAPSHOT_EVERY_BYTES = 32 * MIB;
const MOST_KNOWN_GAPS = 100;

/**
 * The durable log.
 *
 *   append ─▶ pending batch ─▶ commit thread: write, fdatasync ─▶ promises resolve ─▶ readers see it
 *                  ▲                       │
 *                  └── what comes in while one commit runs goes into the next
 */
export class Log {
	readonly id: string;
	readonly #options: FullOptions;
	readonly #metaFile: CheckpointFile<LogMeta>;
	readonly #segments: Segment[];
	readonly #reader: LogReader;
	readonly #dedup: DedupWindow;
	readonly #snapshots: SnapshotFiles;
	readonly #cursors = new Map<string, number>();
	readonly #gaps: Gap[];
	readonly #waiting = new Set<{ offset: number; wake: () => void }>();
	readonly #dropped = { oldest: 0, newest: 0, expired: 0 };
	readonly #openedAt = performance.now();
	readonly #secondsBefore: number;
	readonly #dedupSecondsBefore: number;
	readonly #background = new AbortController();

	#next: number;
	/** Offsets were left out: what follows goes into a new segment, whose header says where the one before ended. */
	#beginSegment: boolean;
	#end: number;
	#pending: Batch | undefined;
	#committing: Batch | undefined;
	#spare: ArrayBuffer | undefined;
	#commitScheduled = false;
	#bytes: number;
	#incidents = 0;
	#trouble: string | undefined;
	#sinceSnapshot = 0;
	#metaDirty = false;
	#metaTimer: NodeJS.Timeout;
	#closed: Promise<void> | undefined;
	#idle: (() => void) | undefined;

	private constructor(options: FullOptions, metaFile: CheckpointFile<LogMeta>, found: Recovered) {
		this.#options = options;
		this.#metaFile = metaFile;
		this.id = found.meta.id;
		this.#segments = found.segments;
		this.#dedup = found.dedup;
		this.#snapshots = found.snapshots;
		this.#beginSegment = found.nextOffset !== found.lastEnd;
		this.#gaps = found.meta.gaps;
		this.#next = found.nextOffset;
		this.#end = found.lastEnd;
		this.#secondsBefore = found.meta.logTime;
		this.#dedupSecondsBefore = latestSecond(found.dedup);
		this.#bytes = found.segments.reduce((sum, segment) => sum + segment.size, 0);
		for (const [name, position] of Object.entries(found.meta.cursors)) this.#cursors.set(name, position);
		this.#reader = new LogReader({ segments: () => this.#segments, endOffset: () => this.#end, knownGaps: () => this.#gaps });
		this.#metaTimer = setInterval(() => this.#everySecond(), META_EVERY_MS);
		this.#metaTimer.unref();
	}

	/**
	 * Opens or creates the log in `options.dir`, repairing what a crash or a bad disk left. Takes time in proportion to one
	 * segment and the records since the last dedup snapshot, not to the log.
	 */
	static async open(options: LogOptions): Promise<Log> {
		const maxBytes = options.maxBytes ?? 512 * MIB;
		const full: FullOptions = {
			...options,
			maxBytes,
			maxAgeMs: options.maxAgeMs ?? 7 * 24 * 3600_000,
			whenFull: options.whenFull ?? 'refuse',
			segmentBytes: options.segmentBytes ?? Math.min(8 * MIB, Math.max(64 * 1024, Math.floor(maxBytes / 16))),
			commitEveryMs: options.commitEveryMs ?? 0,
		};
		const metaFile = new CheckpointFile<LogMeta>(join(options.dir, 'meta'));
		const found = recover(options.dir, full.segmentBytes, metaFile, options.dedup ?? {});
		const log = new Log(full, metaFile, found);
		for (const incident of found.incidents) log.#tell(incident);
		metaFile.writeSync(log.#meta(false));
		void log.#scrub(found.segments.slice(0, -1)).catch(() => undefined);
		return log;
	}

	/** The offset that the next record appended will get. */
	get nextOffset(): number {
		return this.#next;
	}

	/** End of what is durable: the offset after the last record that readers see. */
	get endOffset(): number {
		return this.#end;
	}

	/** First offset that is still held. */
	get startOffset(): number {
		return this.#segments[0]?.firstOffset ?? this.#end;
	}

	/** Judges a key against the dedup window, including records that are still on their way to the disk. */
	look(key: DedupKey): Verdict {
		return this.#dedup.look(key);
	}

	/**
	 * Appends in one go: all of them or none. Resolves when they are on disk.
	 * @throws LogFullError, LogWriteError or, for a payload over 1 MiB, RangeError, always as a rejection.
	 */
	append(records: readonly AppendRecord[]): Promise<Appended> {
		if (this.#closed) return Promise.reject(new LogWriteError('ECLOSED', 'the log is closed'));
		let bound = 0;
		for (const { payload, key } of records) {
			const size = typeof payload === 'string' && payload.length > MAX_PAYLOAD / 3 ? Buffer.byteLength(payload) : payload.length;
			if (size > MAX_PAYLOAD) return Promise.reject(new RangeError(`a payload of ${size} bytes; at most ${MAX_PAYLOAD}`));
			bound += encodedBound(payload, key);
		}
		const refusal = this.#makeRoom(bound);
		if (refusal === 'drop') {
			this.#dropped.newest += records.length;
			return Promise.resolve({ first: this.#next, count: records.length, dropped: true });
		}
		if (refusal) return Promise.reject(refusal);
		const batch = this.#batchFor(bound);
		const first = this.#next;
		const seconds = this.#dedupSeconds();
		try {
			for (const { payload, at, key } of records) {
				batch.push(at ?? Date.now(), payload, key);
				if (key) this.#dedup.remember(key, seconds);
			}
		} finally {
			this.#next = batch.end;
			this.#schedule();
		}
		return batch.settled().then(() => ({ first, count: records.length, dropped: false }));
	}

	/** Resolves when everything appended so far is on disk; rejects when any of it could not be written. */
	durable(): Promise<void> {
		const batch = this.#pending ?? this.#committing;
		return batch ? batch.settled() : Promise.resolve();
	}

	/** Reads durable records from `from` on. */
	async read(from: number, limits?: ReadLimits): Promise<ReadResult> {
		const result = await this.#reader.read(from, limits);
		for (const gap of result.gaps) {
			if (gap.reason === 'damaged') this.#addGap(gap);
		}
		return result;
	}

	/** Resolves when a record at `offset` or later is durable, or `signal` aborts, or the log closes. */
	waitFor(offset: number, signal?: AbortSignal): Promise<void> {
		if (this.#end > offset || signal?.aborted || this.#closed) return Promise.resolve();
		return new Promise((resolve) => {
			const entry = {
				offset,
				wake: () => {
					this.#waiting.delete(entry);
					signal?.removeEventListener('abort', entry.wake);
					resolve();
				},
			};
			this.#waiting.add(entry);
			signal?.addEventListener('abort', entry.wake, { once: true });
		});
	}

	/** The cursor of that name, begun at `start` (default: the first offset still held) when it is new. */
	cursor(name: string, start = this.startOffset): Cursor {
		if (!this.#cursors.has(name)) {
			this.#cursors.set(name, start);
			this.#metaDirty = true;
		}
		const cursors = this.#cursors;
		const touch = () => {
			this.#metaDirty = true;
		};
		return {
			name,
			get position() {
				return cursors.get(name) ?? start;
			},
			commit(next) {
				cursors.set(name, next);
				touch();
			},
			flush: () => this.#writeMeta(),
			remove() {
				cursors.delete(name);
				touch();
			},
		};
	}

	/** Names and positions of all cursors. */
	cursors(): ReadonlyMap<string, number> {
		return this.#cursors;
	}

	stats(): LogStats {
		return {
			bytes: this.#bytes,
			maxBytes: this.#options.maxBytes,
			segments: this.#segments.length,
			startOffset: this.startOffset,
			endOffset: this.#end,
			dropped: { ...this.#dropped },
			incidents: this.#incidents,
			pendingBytes: this.#pendingBytes(),
			trouble: this.#trouble,
		};
	}

	/** Resolves when everything appended so far is on disk or has failed, and the cursors are written. */
	async flush(): Promise<void> {
		await this.durable().catch(() => undefined);
		await this.#writeMeta();
	}

	/** Commits what is pending, then writes cursors and dedup window so that the next start has nothing to repair. */
	close(): Promise<void> {
		this.#closed ??= this.#close();
		return this.#closed;
	}

	async #close(): Promise<void> {
		this.#background.abort();
		clearInterval(this.#metaTimer);
		while (this.#pending || this.#committing) {
			await new Promise<void>((resolve) => {
				this.#idle = resolve;
				this.#schedule();
			});
		}
		for (const { wake } of [...this.#waiting]) wake();
		const active = this.#segments.at(-1);
		if (active) await this.#options.worker.send({ kind: 'close', file: active.path });
		await this.#reader.close();
		await this.#metaFile.settled();
		this.#snapshots.saveSync(this.#end, encodeSnapshot(this.#dedup));
		this.#metaFile.writeSync(this.#meta(true));
	}

	// ── append ──────────────────────────────────────────────────────────────────────────────────────────────

	#pendingBytes(): number {
		return (this.#pending?.length ?? 0) + (this.#committing?.length ?? 0);
	}

	/** Undefined when `bytes` more may be taken, else what to do with them. */
	#makeRoom(bytes: number): LogFullError | 'drop' | undefined {
		if (this.#pendingBytes() + bytes > MOST_PENDING) return new LogFullError('too much waits for the disk');
		const { maxBytes, whenFull } = this.#options;
		while (this.#bytes + this.#pendingBytes() + bytes > maxBytes) {
			const oldest = this.#segments[0];
			if (!oldest || this.#segments.length < 2) break;
			if (!this.#isConsumed(this.#segments[1]!) && whenFull !== 'drop-oldest') break;
			this.#removeOldest('dropped-oldest');
		}
		if (this.#bytes + this.#pendingBytes() + bytes <= maxBytes) return undefined;
		if (whenFull === 'drop-newest') return 'drop';
		// A log too small for two segments, or drop-oldest with all of it in the active one: no room either.
		return new LogFullError(`the log holds ${this.#bytes} of at most ${maxBytes} bytes that were not yet delivered`);
	}

	#isConsumed(following: Segment): boolean {
		const end = following.header?.previousEnd ?? following.firstOffset;
		return this.#cursors.values().every((position) => position >= end);
	}

	#removeOldest(reason: 'dropped-oldest' | 'expired'): void {
		const oldest = this.#segments.shift()!;
		const following = this.#segments[0]!;
		this.#bytes -= oldest.size;
		this.#reader.forget(oldest.path);
		rmSync(oldest.path, { force: true });
		const end = following.header?.previousEnd ?? following.firstOffset;
		const slowest = Math.min(Number.POSITIVE_INFINITY, ...this.#cursors.values());
		if (slowest < end) {
			const from = Math.max(slowest, oldest.firstOffset);
			this.#dropped[reason === 'expired' ? 'expired' : 'oldest'] += end - from;
			this.#addGap({ from, to: end - 1, reason });
		}
	}

	#batchFor(bytes: number): Batch {
		if (this.#pending) this.#pending.reserve(bytes);
		else {
			this.#pending = new Batch(this.#next, bytes, this.#spare);
			this.#spare = undefined;
		}
		return this.#pending;
	}

	// ── commit ──────────────────────────────────────────────────────────────────────────────────────────────

	#schedule(): void {
		if (this.#commitScheduled || this.#committing || !this.#pending) return;
		this.#commitScheduled = true;
		const commit = () => {
			this.#commitScheduled = false;
			void this.#commit();
		};
		// setImmediate: what the other sockets of this turn of the event loop bring still comes along.
		if (this.#options.commitEveryMs > 0 && !this.#closed) setTimeout(commit, this.#options.commitEveryMs);
		else setImmediate(commit);
	}

	async #commit(): Promise<void> {
		const batch = this.#pending;
		if (!batch || this.#committing) return;
		this.#pending = undefined;
		this.#committing = batch;
		const segment = await this.#segmentFor(batch.first);
		const answer =
			segment instanceof LogWriteError
				? { error: segment, data: batch.data }
				: await this.#options.worker.send({ kind: 'write', file: segment.path, position: segment.size, data: batch.data, length: batch.length });
		if (answer.data && answer.data.byteLength <= LARGEST_KEPT_BUFFER) this.#spare = answer.data;
		this.#committing = undefined;
		if (answer.error) this.#commitFailed(batch, new LogWriteError(answer.error.code, answer.error.message));
		else this.#committed(batch, segment as Segment);
		if (this.#pending) this.#schedule();
		else this.#idle?.();
	}

	#committed(batch: Batch, segment: Segment): void {
		segment.size += batch.length;
		this.#bytes += batch.length;
		this.#sinceSnapshot += batch.length;
		this.#end = batch.end;
		this.#trouble = undefined;
		this.#metaDirty = true;
		batch.settle();
		for (const entry of this.#waiting) if (this.#end > entry.offset) entry.wake();
		if (this.#sinceSnapshot > SNAPSHOT_EVERY_BYTES) {
			this.#sinceSnapshot = 0;
			void this.#saveSnapshot().catch(() => undefined);
		}
	}

	/** What came in meanwhile fails with it: a redelivery that waits there may be of a record that has just failed. */
	#commitFailed(batch: Batch, error: LogWriteError): void {
		this.#trouble = error.message;
		const later = this.#pending;
		this.#pending = undefined;
		for (const failed of later ? [later, batch] : [batch]) {
			for (const source of failed.sources.reverse()) this.#dedup.forgetNewest(source);
		}
		batch.settle(error);
		later?.settle(error);
	}

	/** The segment the next batch goes into, begun anew where the last one is full or stands damaged. */
	async #segmentFor(firstOffset: number): Promise<Segment | LogWriteError> {
		const active = this.#segments.at(-1);
		if (active?.header && active.size >= SEGMENT_HEADER && active.size < this.#options.segmentBytes && !this.#beginSegment) return active;
		const header = { firstOffset, previousEnd: this.#end, logTime: this.#logTime(), logId: this.id };
		const path = segmentPath(this.#options.dir, firstOffset);
		const bytes = encodeSegmentHeader(header);
		const data = new ArrayBuffer(SEGMENT_HEADER);
		bytes.copy(Buffer.from(data));
		const { error } = await this.#options.worker.send({ kind: 'write', file: path, position: 0, data, length: SEGMENT_HEADER });
		if (error) return new LogWriteError(error.code, error.message);
		if (active) await this.#options.worker.send({ kind: 'close', file: active.path });
		const segment: Segment = { path, firstOffset, header, size: SEGMENT_HEADER };
		this.#segments.push(segment);
		this.#beginSegment = false;
		this.#bytes += SEGMENT_HEADER;
		return segment;
	}

	// ── upkeep ──────────────────────────────────────────────────────────────────────────────────────────────

	#seconds(): number {
		return (performance.now() - this.#openedAt) / 1000;
	}

	#logTime(): number {
		return this.#secondsBefore + this.#seconds();
	}

	#dedupSeconds(): number {
		return Math.floor(this.#dedupSecondsBefore + this.#seconds());
	}

	#everySecond(): void {
		this.#expire();
		if (this.#metaDirty) void this.#writeMeta().catch(() => undefined);
	}

	#expire(): void {
		const oldest = this.#logTime() - this.#options.maxAgeMs / 1000;
		while (this.#segments.length > 1 && (this.#segments[1]!.header?.logTime ?? Number.POSITIVE_INFINITY) < oldest) this.#removeOldest('expired');
	}

	#meta(clean: boolean): LogMeta {
		return { id: this.id, end: this.#end, logTime: this.#logTime(), clean, cursors: Object.fromEntries(this.#cursors), gaps: this.#gaps };
	}

	async #writeMeta(): Promise<void> {
		if (this.#closed) return;
		this.#metaDirty = false;
		await this.#metaFile.write(this.#meta(false));
	}

	#addGap(gap: Gap): void {
		if (this.#gaps.some((known) => known.from <= gap.from && known.to >= gap.to)) return;
		const last = this.#gaps.at(-1);
		if (last && last.reason === gap.reason && last.to + 1 === gap.from) last.to = gap.to;
		else this.#gaps.push(gap);
		if (this.#gaps.length > MOST_KNOWN_GAPS) this.#gaps.shift();
		this.#metaDirty = true;
		if (gap.reason === 'damaged') this.#tell({ what: 'damaged-record', file: this.#options.dir, lost: { from: gap.from, to: gap.to } });
	}

	#tell(incident: Incident): void {
		this.#incidents++;
		this.#options.onIncident?.(incident);
	}

	/** Reads through the older segments once, at leisure, so that damage in them is told soon and not only when somebody reads there. */
	async #scrub(segments: Segment[]): Promise<void> {
		for (const segment of segments) {
			for (let position = segment.firstOffset; !this.#background.signal.aborted; ) {
				const index = this.#segments.indexOf(segment);
				const following = this.#segments[index + 1];
				if (index === -1 || !following || position >= following.firstOffset) break;
				const { next } = await this.read(position, { maxRecords: 2000, maxBytes: 512 * 1024 });
				if (next === position) break;
				position = next;
				await new Promise((resolve) => setTimeout(resolve, 20).unref());
			}
		}
	}

	async #saveSnapshot(): Promise<void> {
		const notDurable = new Map<string, number>();
		for (const source of this.#pending?.sources ?? []) notDurable.set(source, (notDurable.get(source) ?? 0) + 1);
		await this.#snapshots.save(this.#end, encodeSnapshot(this.#dedup, notDurable));
	}
}
