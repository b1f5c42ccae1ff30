/** The size of a log and what happened to its records, for metrics and readiness. */
export interface LogStats {
	bytes: number;
	maxBytes: number;
	segments: number;
	startOffset: number;
	endOffset: number;
	/** Records stored since the log was opened. */
	appended: number;
	/** Records dropped since the log was opened, by reason. */
	dropped: Record<'oldest' | 'newest' | 'expired' | 'thinned', number>;
	/** Bytes that some consumer has still to read; the others can be dropped at any time. */
	heldBytes: number;
	/** Hours until held bytes fill the log, extrapolated from recent growth; infinite where they do not grow. */
	hoursToFull: number;
	/** Incidents since the log was opened. */
	incidents: number;
	/** Bytes that wait for the disk. */
	pendingBytes: number;
	/** Writes that the disk refused since the log was opened; their records were not acknowledged. */
	failures: number;
	/** Message of the last failed write, until a write succeeds. */
	trouble: string | undefined;
}
