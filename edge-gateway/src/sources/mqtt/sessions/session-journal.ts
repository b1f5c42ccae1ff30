/** Writes the changes of the sessions to disk, and restores the sessions from it. */
import { type CommitWorker, type Cursor, type Incident, Log } from '@crowdvision/log';
import { keepTrying, type Logger } from '@crowdvision/service-kit';
import { type Change, decodeChange, encodeChange } from './change.ts';
import { SessionState } from './session-state.ts';

const MIB = 1024 * 1024;
const MAX_BYTES = 512 * MIB;
const FOREVER_MS = 100 * 365 * 24 * 3600_000;
/** Size of an append to the log, which may be exceeded by one record. */
const BATCH_BYTES = 2 * MIB;
/** A snapshot is due once this much has been appended since the last one, and twice that one's size. */
const SNAPSHOT_AFTER_BYTES = 4 * MIB;

interface Waiting {
	record: string;
	resolve: () => void;
	reject: (error: Error) => void;
}

/**
 * Writes the changes of a SessionState to disk, in order. Changes that come while one batch is being written go into
 * the next. While the disk fails, writing is retried and the changes' promises wait. From time to time a snapshot of
 * the whole state is written, and the records before it are released.
 */
export class SessionJournal {
	readonly state: SessionState;
	/** Number of records read by `open`. */
	readonly replayed: number;
	readonly #log: Log;
	/** Stands at the last complete snapshot. */
	readonly #snapshotCursor: Cursor;
	readonly #logger: Logger;
	readonly #closing = new AbortController();
	readonly #queue: Waiting[] = [];
	#running: Promise<void> | undefined;
	#sinceSnapshot = 0;
	#snapshotBytes = 0;

	private constructor(log: Log, snapshotCursor: Cursor, { state, records }: Replayed, logger: Logger) {
		this.#log = log;
		this.#snapshotCursor = snapshotCursor;
		this.state = state;
		this.replayed = records;
		this.#logger = logger;
	}

	/** Opens the journal in `dir` and restores the state from it. */
	static async open(dir: string, worker: CommitWorker, logger: Logger): Promise<SessionJournal> {
		const onIncident = (incident: Incident) =>
			logger.error({ incident }, 'mqtt: records of the session journal are damaged or missing');
		const log = await Log.open({
			dir,
			worker,
			maxBytes: MAX_BYTES,
			maxAgeMs: FOREVER_MS,
			whenFull: 'refuse',
			onIncident,
		});
		try {
			const snapshotCursor = log.cursor('snapshot');
			const replayed = await replay(log, snapshotCursor.position);
			const journal = new SessionJournal(log, snapshotCursor, replayed, logger);
			// Changes appended after an unfinished snapshot would be read as part of it.
			if (!replayed.isComplete) await journal.#snapshot();
			return journal;
		} catch (error) {
			await log.close();
			throw error;
		}
	}

	/** Resolves when the change is on disk. The caller applies it to `state` in the same turn of the event loop. */
	write(change: Change): Promise<void> {
		return new Promise((resolve, reject) => {
			this.#queue.push({ record: encodeChange(change), resolve, reject });
			this.#running ??= this.#run();
		});
	}

	async close(): Promise<void> {
		this.#closing.abort();
		await this.#running;
		await this.#log.close();
	}

	async #run(): Promise<void> {
		try {
			while (this.#queue.length > 0) {
				if (this.#sinceSnapshot > Math.max(SNAPSHOT_AFTER_BYTES, 2 * this.#snapshotBytes)) await this.#snapshot();
				else await this.#writeBatch(this.#take());
			}
		} finally {
			this.#running = undefined;
		}
	}

	#take(): Waiting[] {
		let bytes = 0;
		let count = 0;
		while (count < this.#queue.length && (count === 0 || bytes < BATCH_BYTES))
			bytes += this.#queue[count++]!.record.length;
		this.#sinceSnapshot += bytes;
		return this.#queue.splice(0, count);
	}

	async #writeBatch(batch: Waiting[]): Promise<void> {
		try {
			await this.#append(batch.map(({ record }) => record));
			for (const { resolve } of batch) resolve();
		} catch (error) {
			for (const { reject } of batch) reject(error as Error);
		}
	}

	/** Writes the current state, which includes the queued changes already. */
	async #snapshot(): Promise<void> {
		const waiting = this.#queue.splice(0);
		const records = [{ do: 'snapshot-begin' } as const, ...this.state.changes(), { do: 'snapshot-end' } as const].map(
			encodeChange,
		);
		const begin = this.#log.nextOffset;
		try {
			for (let at = 0; at < records.length; ) {
				let bytes = 0;
				const first = at;
				while (at < records.length && (at === first || bytes < BATCH_BYTES)) bytes += records[at++]!.length;
				await this.#append(records.slice(first, at));
			}
			this.#snapshotCursor.commit(begin);
			this.#snapshotBytes = records.reduce((sum, record) => sum + record.length, 0);
			this.#sinceSnapshot = 0;
			for (const { resolve } of waiting) resolve();
		} catch (error) {
			for (const { reject } of waiting) reject(error as Error);
		}
	}

	/** Tries until the records are on disk. @throws the disk's error once the journal is being closed */
	async #append(records: string[]): Promise<void> {
		await keepTrying(() => this.#log.append(records.map((payload) => ({ payload }))), {
			what: 'mqtt: writing sessions to disk',
			firstMs: 50,
			longestMs: 2000,
			signal: this.#closing.signal,
			logger: this.#logger,
			level: 'error',
		});
	}
}

interface Replayed {
	state: SessionState;
	records: number;
	/** Whether the last snapshot was written to its end. */
	isComplete: boolean;
}

/** Restores the state from the records at offset `from` and after. */
async function replay(log: Log, from: number): Promise<Replayed> {
	let state = new SessionState();
	let snapshot: SessionState | undefined;
	let records = 0;
	for (let next = from; ; ) {
		const read = await log.read(next);
		if (read.next === next) return { state, records, isComplete: snapshot === undefined };
		next = read.next;
		records += read.records.length;
		for (const { payload } of read.records) {
			const change = decodeChange(payload);
			if (change.do === 'snapshot-begin') snapshot = new SessionState();
			else if (change.do === 'snapshot-end') {
				state = snapshot ?? state;
				snapshot = undefined;
			} else applyIfPossible(snapshot ?? state, change);
		}
	}
}

/** Skips an update of a message whose own record was damaged. */
function applyIfPossible(state: SessionState, change: Change): void {
	try {
		state.apply(change);
	} catch {
		// The message is lost already.
	}
}
