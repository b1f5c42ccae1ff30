/** Damage that was found: something was set aside, repaired or lost. */
export interface Incident {
	/**
	 * `torn-tail`: an interrupted write was cut off. `damaged-tail`: the end of the log was unreadable and was set aside.
	 * `damaged-record`: records inside the log are unreadable. `missing-records`: records that were there are gone.
	 * `damaged-header`: a segment's header is damaged; nothing is lost. `damaged-meta`: cursors start over.
	 * `damaged-snapshot`: the dedup window had to be rebuilt from the records. `obstacle`: something that is not a file
	 * had the name of a file of the log. `write-failed`: the state beside the records could not be written.
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
	/** Offsets of the lost records, both included. */
	lost?: { from: number; to: number };
}
