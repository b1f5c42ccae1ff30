import type { CommitWorker } from './commit/commit-worker.ts';
import type { CursorAccount } from './cursor/cursor-tally.ts';
import type { DedupOptions } from './dedup/dedup-window.ts';
import type { DedupKey, LogRecord } from './segment/record.ts';

/**
 * `thin`: well before the log is full the oldest segments that no consumer is near are rewritten with fewer records;
 * which ones, a policy says. What is still too much then is dropped, the oldest first.
 */
export type WhenFull = 'refuse' | 'drop-oldest' | 'drop-newest' | 'thin';

/** What becomes of each record of a segment, oldest first. The last one must stay. */
export type Thin = (payloads: readonly Buffer[]) => readonly ('keep' | 'drop' | { payload: string })[];

export interface LogOptions {
	dir: string;
	worker: CommitWorker;
	/** Bound of the segments' bytes. Default 512 MiB. */
	maxBytes?: number;
	/** Records older than this, in time the log was open, are given up. Default 7 days. */
	maxAgeMs?: number;
	/** What happens to an append that finds no room. Default refuse. */
	whenFull?: WhenFull;
	/** URL of a module that calls `thinSegments` with its policy, and is run as a thread; needed for `thin`. */
	thin?: string | undefined;
	/**
	 * A segment is closed at this size. Default 1/16 of maxBytes, 64 KiB to 8 MiB; never more than a quarter of maxBytes.
	 */
	segmentBytes?: number;
	/** How long a commit waits for company. Default 0: what comes in while one runs goes into the next. */
	commitEveryMs?: number;
	dedup?: Partial<DedupOptions>;
	/** Readers see nothing from this offset on until `letGo`. See `Log.holdFrom`. */
	heldFrom?: number | undefined;
	/**
	 * Changes what readers are given of a record; what is on disk stays as it was written. Called for every record read,
	 * so it must be quick.
	 */
	amend?: (record: LogRecord) => void;
	/**
	 * A clock that is never set, in ms; default this process's. The log's own time is what passes on it while the log is
	 * open.
	 */
	monotonic?: () => number;
	/** Told of everything found damaged, at the start and later. */
	onIncident?: (incident: Incident) => void;
}

export interface AppendRecord {
	/** At most 1 MiB. */
	payload: Buffer | string;
	/** Epoch ms; default now. */
	at?: number;
	key?: DedupKey | undefined;
}

export interface Appended {
	/** Offset of the first record; the others follow without a hole. */
	first: number;
	count: number;
	/** True where the policy `drop-newest` threw them away; readers are told of their offsets as a gap. */
	dropped: boolean;
}

/** No room, and the policy is `refuse`; or more waits for the disk than may. Nothing was stored. */
export class LogFullError extends Error {}

/** The disk refused the write, or the log is closed (`ECLOSED`). Nothing was stored. */
export class LogWriteError extends Error {
	readonly code: string;
	constructor(code: string, message: string) {
		super(message);
		this.code = code;
	}
}

/** A consumer's place in the log: the next offset it wants. Kept across restarts; after a crash it may be up to a second old, or five where little
 * comes in. */
export interface Cursor {
	readonly name: string;
	readonly position: number;
	/** What its consumer counts of what it was to get. */
	readonly account: CursorAccount;
	/**
	 * Everything before `next` is done with. Moving back is allowed; what is not durable yet is not done with.
	 * @throws RangeError for anything but a whole number that is not negative.
	 */
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
	/** Records stored since the log was opened. */
	appended: number;
	/** Records given up, by reason, since the log was opened. */
	dropped: Record<'oldest' | 'newest' | 'expired' | 'thinned', number>;
	/** Bytes that some consumer has still to read; the rest can be given up at any time. */
	heldBytes: number;
	/**
	 * When the log will be full of what must be held, as it has grown lately: hours from now; infinite where it does not
	 * grow.
	 */
	hoursToFull: number;
	/** Incidents since the log was opened. */
	incidents: number;
	/** Bytes that wait for the disk. */
	pendingBytes: number;
	/** Message of the last failed write, until one succeeds. */
	trouble: string | undefined;
}

/** Offsets that are gone: `from` to `to`, both included. */
export interface Gap {
	from: number;
	to: number;
	/**
	 * `damaged`: found broken on disk. `dropped-oldest`, `dropped-newest`, `expired`: given up by the policy or the age
	 * bound.
	 * `thinned`: left out to make room; what is there between such gaps stands for it.
	 * `consumed`: let go after every cursor had passed them; only a reader that goes back further is told.
	 */
	reason: 'damaged' | 'dropped-oldest' | 'dropped-newest' | 'expired' | 'thinned' | 'consumed';
	/** Between when and when the records were appended, epoch ms, as far as that is known. */
	firstAt?: number;
	lastAt?: number;
}

/** Something set aside or lost, in words for the log and the ledger. */
export interface Incident {
	/**
	 * `torn-tail`: an interrupted write was cut off. `damaged-tail`: the end of the log was unreadable and was set aside.
	 * `damaged-record`: records inside it are unreadable. `missing-records`: records that were there are gone.
	 * `damaged-header`: nothing lost by it. `damaged-meta`: cursors begin anew. `damaged-snapshot`: the dedup window had
	 * to be rebuilt from the records. `obstacle`: something that is no file stood in the way.
	 * `write-failed`: the state beside the records could not be written.
	 */
	what:
		| 'torn-tail'
		| 'damaged-record'
		| 'damaged-tail'
		| 'damaged-header'
		| 'damaged-meta'
		| 'damaged-snapshot'
		| 'missing-records'
		| 'obstacle'
		| 'write-failed';
	file: string;
	bytes?: number;
	lost?: { from: number; to: number };
}
