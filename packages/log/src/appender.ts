import type { OnDurable } from './commit/batch.ts';
import type { GroupCommit } from './commit/group-commit.ts';
import type { Gaps } from './cursor/gaps.ts';
import type { DedupWindow, Verdict } from './dedup/window.ts';
import { closedError, LogFullError } from './errors.ts';
import type { FullOptions } from './options.ts';
import type { Retention } from './retention/retention.ts';
import { type DedupKey, encodedBound, tooLarge } from './segment/record.ts';
import type { RecordImage } from './segment/record-image.ts';
import type { Segments } from './segment/segments.ts';

/** A record to append. */
export interface AppendRecord {
	/** At most 1 MiB. */
	payload: Buffer | string;
	/** Epoch ms; default now. */
	at?: number;
	key?: DedupKey | undefined;
}

/** What an append did. */
export interface Appended {
	/** Offset of the first record; the offsets of the others follow without a hole. */
	first: number;
	count: number;
	/** True if the policy `drop-newest` dropped them; readers get a gap for their offsets. */
	dropped: boolean;
}

export interface AppenderParts {
	options: Pick<FullOptions, 'maxBytes' | 'whenFull'>;
	segments: Segments;
	dedup: DedupWindow;
	gaps: Gaps;
	retention: Retention;
	commits: GroupCommit;
	/** Log time in whole seconds. */
	seconds: () => number;
	/** Called after records were dropped by the policy `drop-newest`. */
	onDropped: () => void;
}

const MAX_PENDING_BYTES = 16 * 1024 * 1024;

/** The way of records into the log: bounds, the dedup window, the batch of the next commit. */
export class Appender {
	readonly #parts: AppenderParts;
	#closed = false;

	constructor(parts: AppenderParts) {
		this.#parts = parts;
	}

	/** Refuses every later append. */
	close(): void {
		this.#closed = true;
	}

	/** As Log.lookUp. */
	lookUp(key: DedupKey): Verdict {
		return this.#parts.dedup.lookUp(key, this.#parts.seconds());
	}

	/** As Log.append. */
	append(records: readonly AppendRecord[]): Promise<Appended> {
		if (this.#closed) return rejected(closedError());
		const { commits, dedup } = this.#parts;
		const count = records.length;
		let bound = 0;
		for (const { payload, key } of records) {
			const problem = tooLarge(payload, key);
			if (problem) return rejected(new RangeError(problem));
			bound += encodedBound(payload, key);
		}
		if (count === 0) return Promise.resolve({ first: commits.nextOffset, count, dropped: false });
		const pending = commits.pendingBytes;
		if (pending + bound > MAX_PENDING_BYTES)
			return rejected(new LogFullError(`${pending} bytes wait for the disk, at most ${MAX_PENDING_BYTES} may`));
		if (!this.#makeRoom(pending + bound)) return this.#noRoom(records);
		const batch = commits.batchFor(bound);
		const first = batch.end;
		const seconds = this.#parts.seconds();
		for (const { payload, at, key } of records) {
			batch.push(at ?? Date.now(), seconds, payload, key);
			if (key) dedup.remember(key, seconds);
		}
		commits.added(batch);
		return batch.whenDurable({ first, count, dropped: false });
	}

	/** As Log.enqueue. */
	enqueue(payload: Buffer | string, at: number, key: DedupKey | undefined, onDurable: OnDurable): void {
		const { commits, dedup } = this.#parts;
		const bound = encodedBound(payload, key);
		const pending = commits.pendingBytes + bound;
		if (this.#closed || tooLarge(payload, key) || pending > MAX_PENDING_BYTES || !this.#makeRoom(pending)) {
			// Rare: `append` finds the reason again and reports it.
			this.append([{ payload, at, key }]).then(({ dropped }) => onDurable(undefined, dropped), onDurable);
			return;
		}
		const batch = commits.batchFor(bound);
		const seconds = this.#parts.seconds();
		batch.push(at, seconds, payload, key);
		if (key) dedup.remember(key, seconds);
		batch.onDurable(onDurable);
		commits.added(batch);
	}

	/** As Log.hasRoom. */
	hasRoom(bytes: number): boolean {
		const pending = this.#parts.commits.pendingBytes + bytes;
		return !this.#closed && pending <= MAX_PENDING_BYTES && this.#makeRoom(pending);
	}

	/** As Log.enqueueImage. */
	enqueueImage(image: RecordImage, at: number): boolean {
		if (!this.hasRoom(image.length)) return false;
		const { commits, dedup } = this.#parts;
		const batch = commits.batchFor(image.length);
		const seconds = this.#parts.seconds();
		batch.pushImage(image, at, seconds);
		if (image.key) dedup.remember(image.key, seconds);
		commits.added(batch);
		return true;
	}

	#makeRoom(bytes: number): boolean {
		const { retention, commits } = this.#parts;
		return retention.makeRoom(bytes, commits.writing);
	}

	/** Drops or refuses records for which there is no room. */
	#noRoom(records: readonly AppendRecord[]): Promise<Appended> {
		const { options, segments, commits, gaps, retention, onDropped } = this.#parts;
		const { maxBytes, whenFull } = options;
		if (whenFull !== 'drop-newest') {
			// With drop-oldest: the only segment is being written to.
			const message = `the log holds ${segments.bytes} of at most ${maxBytes} bytes, and none that may be dropped`;
			return rejected(new LogFullError(message));
		}
		const count = records.length;
		const first = commits.nextOffset;
		commits.skipOffsets(count);
		gaps.add({
			from: first,
			to: first + count - 1,
			reason: 'dropped-newest',
			firstAt: records[0]!.at,
			lastAt: records.at(-1)!.at,
		});
		retention.dropped.newest += count;
		onDropped();
		return Promise.resolve({ first, count, dropped: true });
	}
}

/** A rejection that is never an unhandled one. */
function rejected(error: Error): Promise<never> {
	const promise = Promise.reject(error);
	promise.catch(() => undefined);
	return promise;
}
