import { type CommitWorker, type Cursor, type Incident, Log } from '@crowdvision/log';
import { backOff, type Logger, pause } from '@crowdvision/service-kit';
import { type Change, decodeChange, encodeChange } from './change.ts';
import { SessionState } from './session-state.ts';

const MIB = 1024 * 1024;
const MAX_BYTES = 512 * MIB;
const FOREVER_MS = 100 * 365 * 24 * 3600_000;
/** As much goes to the log at once. */
const BATCH_BYTES = 2 * MIB;
/** A snapshot is written when so much was appended since the last one, or twice its size. */
const SNAPSHOT_AFTER_BYTES = 4 * MIB;

interface Waiting {
	record: string;
	resolve: () => void;
	reject: (error: Error) => void;
}

/**
 * The changes of a SessionState on disk, in order. What comes while one batch is being written goes into the next;
 * while the disk fails, it is tried again, and whoever made the change waits. Now and then the whole state is written
 * down, and what came before is given up.
 */
export class SessionJournal {
	readonly state: SessionState;
	/** Records that were read at the start. */
	readonly replayed: number;
	readonly #log: Log;
	readonly #from: Cursor;
	readonly #logger: Logger;
	readonly #closing = new AbortController();
	readonly #queue: Waiting[] = [];
	#running: Promise<void> | undefined;
	#sinceSnapshot = 0;
	#snapshotBytes = 0;

	private constructor(log: Log, from: Cursor, { state, records }: Replayed, logger: Logger) {
		this.#log = log;
		this.#from = from;
		this.state = state;
		this.replayed = records;
		this.#logger = logger;
	}

	static async open(dir: string, worker: CommitWorker, logger: Logger): Promise<SessionJournal> {
		const onIncident = (incident: Incident) => logger.error({ incident }, 'sessions: something is damaged or missing');
		const log = await Log.open({
			dir,
			worker,
			maxBytes: MAX_BYTES,
			maxAgeMs: FOREVER_MS,
			whenFull: 'refuse',
			onIncident,
		});
		const from = log.cursor('snapshot');
		const replayed = await replay(log, from.position);
		const journal = new SessionJournal(log, from, replayed, logger);
		// What is appended behind a snapshot that was not finished would count to it.
		if (!replayed.complete) await journal.#snapshot();
		return journal;
	}

	/** Resolves when the change is on disk. Apply it to the state in the same turn. */
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

	/** Writes the state as it is now. What waits to be written is part of it already. */
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
			this.#from.commit(begin);
			this.#snapshotBytes = records.reduce((sum, record) => sum + record.length, 0);
			this.#sinceSnapshot = 0;
			for (const { resolve } of waiting) resolve();
		} catch (error) {
			for (const { reject } of waiting) reject(error as Error);
		}
	}

	/** Tries until it is on disk. @throws the disk's error once the journal closes. */
	async #append(records: string[]): Promise<void> {
		for (let attempt = 0; ; attempt++) {
			try {
				await this.#log.append(records.map((payload) => ({ payload })));
				return;
			} catch (error) {
				if (this.#closing.signal.aborted) throw error;
				if (attempt === 0)
					this.#logger.error(
						{ err: (error as Error).message },
						'sessions: the disk refuses what must be kept; tried again',
					);
				await pause(backOff(attempt, 50, 2000), this.#closing.signal);
			}
		}
	}
}

interface Replayed {
	state: SessionState;
	records: number;
	/** Whether the last snapshot is whole. */
	complete: boolean;
}

/** The state that the records from `from` on lead to. */
async function replay(log: Log, from: number): Promise<Replayed> {
	let state = new SessionState();
	let snapshot: SessionState | undefined;
	let records = 0;
	for (let next = from; ; ) {
		const read = await log.read(next);
		if (read.next === next) return { state, records, complete: snapshot === undefined };
		next = read.next;
		records += read.records.length;
		for (const { payload } of read.records) {
			const change = decodeChange(payload);
			if (change.do === 'snapshot-begin') snapshot = new SessionState();
			else if (change.do === 'snapshot-end') {
				state = snapshot ?? state;
				snapshot = undefined;
			} else attempt(() => (snapshot ?? state).apply(change));
		}
	}
}

/** A change of something that damage took away leads nowhere. */
function attempt(apply: () => unknown): void {
	try {
		apply();
	} catch {
		// Nothing to be changed.
	}
}
