import type { CommitWorker } from './commit/worker.ts';
import type { DedupOptions } from './dedup/window.ts';
import type { Incident } from './recovery/incident.ts';
import type { WhenFull } from './retention/policy.ts';
import type { LogRecord } from './segment/record.ts';

/** How a log is opened. */
export interface LogOptions {
	dir: string;
	worker: CommitWorker;
	/** Maximum size of all segments, in bytes. Default 512 MiB. */
	maxBytes?: number;
	/** Records older than this are dropped; measured in time the log was open, in ms. Default 7 days. */
	maxAgeMs?: number;
	/** What happens to an append that finds no room. Default `refuse`. */
	whenFull?: WhenFull;
	/** URL of a module that calls `thinSegments` with its policy and runs as a thread; needed for `thin`. */
	thin?: string | undefined;
	/** A segment is closed at this size. Default maxBytes / 16, within 64 KiB to 8 MiB; at most a quarter of maxBytes. */
	segmentBytes?: number;
	/** How long a commit waits for more records, in ms. Default 0: what arrives during one commit goes into the next. */
	commitEveryMs?: number;
	dedup?: Partial<DedupOptions>;
	/** Hides records from this offset on until `release`. See `Log.holdFrom`. */
	heldFrom?: number | undefined;
	/**
	 * Changes what readers get of a record; the record on disk stays as it was written. Called for every record read, so
	 * it must be fast.
	 */
	amend?: (record: LogRecord) => void;
	/** Whether `amend` may change the record at this offset; without it, any. */
	mayAmend?: (offset: number) => boolean;
	/** A clock that is never set, in ms. Default: this process's. Log time is what passes on it while the log is open. */
	monotonic?: () => number;
	/** Called for all damage that is found, at the start and later. */
	onIncident?: (incident: Incident) => void;
}

type Optional = 'onIncident' | 'heldFrom' | 'amend' | 'mayAmend' | 'thin';

/** The options with their defaults filled in. */
export type FullOptions = Required<Omit<LogOptions, 'dedup' | Optional>> & Pick<LogOptions, Optional>;

const MIB = 1024 * 1024;
const DAY_MS = 24 * 3600_000;

export function withDefaults(options: LogOptions): FullOptions {
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
