import { rm } from 'node:fs/promises';
import type { DedupSnapshot } from '../dedup/snapshot.ts';
import type { SnapshotFiles } from '../dedup/snapshot-files.ts';
import type { CheckpointFile } from './checkpoint-file.ts';
import type { LogMeta } from './meta.ts';

const EVERY_MS = 1000;
/**
 * The meta file is written every second, or every five seconds while less than this was appended since the last write,
 * because each write wears an SD card.
 */
const LITTLE_BYTES = 64 * 1024;
const LITTLE_EVERY_SECONDS = 5;
const SNAPSHOT_EVERY_BYTES = 32 * 1024 * 1024;

/** The log as the checkpointer needs it. */
export interface CheckpointView {
	meta(clean: boolean): LogMeta;
	snapshot(): DedupSnapshot;
	/** Called every second, before anything is written. */
	everySecond(): void;
	/** Called when a write failed; it is retried in a second. */
	failed(error: Error): void;
}

/** A file that is no longer part of the log. */
interface Discarded {
	path: string;
	/** Offset after its last record. */
	end: number;
	/** Closes the file elsewhere, before it is removed. */
	release: () => Promise<unknown>;
}

/**
 * Writes the log's state beside the records: the meta file and snapshots of the dedup window. Removes discarded files
 * once the meta file records that they are gone.
 */
export class Checkpointer {
	readonly #view: CheckpointView;
	readonly #metaFile: CheckpointFile<LogMeta>;
	readonly #snapshots: SnapshotFiles;
	readonly #timer: NodeJS.Timeout;
	readonly #discarded: Discarded[] = [];
	#removing: Promise<void> | undefined;
	#dirty = false;
	/** Seconds and bytes since the last write. */
	#waited = 0;
	#sinceWrite = 0;
	#sinceSnapshot = 0;

	constructor(view: CheckpointView, metaFile: CheckpointFile<LogMeta>, snapshots: SnapshotFiles) {
		this.#view = view;
		this.#metaFile = metaFile;
		this.#snapshots = snapshots;
		this.#timer = setInterval(() => this.#everySecond(), EVERY_MS);
		this.#timer.unref();
	}

	/**
	 * Call it when a value in the meta file has changed: it is written within a second, or five when few records arrive.
	 */
	markDirty(): void {
		this.#dirty = true;
	}

	/** Call it when `bytes` of records were added. */
	bytesAdded(bytes: number): void {
		this.#dirty = true;
		this.#sinceWrite += bytes;
		this.#sinceSnapshot += bytes;
		if (this.#sinceSnapshot < SNAPSHOT_EVERY_BYTES) return;
		void this.#saveSnapshot();
	}

	/**
	 * Writes the meta file. Resolves when it holds the present state; `lazy` as in CheckpointFile.
	 */
	write({ lazy = false } = {}): Promise<void> {
		this.#dirty = false;
		this.#waited = 0;
		this.#sinceWrite = 0;
		return this.#metaFile.write(this.#view.meta(false), { lazy });
	}

	/** Writes both copies of the meta file, so that neither claims that the log was closed cleanly. */
	markOpen(): void {
		this.#metaFile.writeSync(this.#view.meta(false));
		this.#metaFile.writeSync(this.#view.meta(false));
	}

	/** Resolves when the dedup keys of all records before offset `end` are in a snapshot. */
	async saveKeys(end: number): Promise<void> {
		if (end > this.#snapshots.newest) await this.#saveSnapshot();
	}

	/** Removes a file that is no longer part of the log, after `release`. */
	discard(file: Discarded): void {
		this.#discarded.push(file);
		this.#removing ??= this.#removeDiscarded();
	}

	/**
	 * Writes everything a last time.
	 * @throws when it could not be written; the next start then treats the log as after a crash.
	 */
	async close(): Promise<void> {
		clearInterval(this.#timer);
		await this.#removing;
		await Promise.all([this.#metaFile.settled(), this.#snapshots.settled()]);
		try {
			this.#snapshots.saveSync(this.#view.snapshot());
		} finally {
			this.#metaFile.writeSync(this.#view.meta(true));
		}
	}

	#everySecond(): void {
		this.#view.everySecond();
		if (!this.#dirty) return;
		this.#waited++;
		if (this.#sinceWrite < LITTLE_BYTES && this.#waited < LITTLE_EVERY_SECONDS) return;
		this.write({ lazy: true }).catch((error: Error) => {
			this.#dirty = true;
			this.#view.failed(error);
		});
	}

	#saveSnapshot(): Promise<void> {
		this.#sinceSnapshot = 0;
		return this.#snapshots.save(this.#view.snapshot()).catch((error: Error) => this.#view.failed(error));
	}

	/**
	 * Before a file is removed its keys are saved in a snapshot, and both copies of the meta file record that it was
	 * dropped on purpose: a file that is gone without that counts as lost. If these writes fail the file is removed all
	 * the same, since a full disk needs the room.
	 */
	async #removeDiscarded(): Promise<void> {
		while (this.#discarded.length > 0) {
			const files = this.#discarded.splice(0);
			await this.saveKeys(Math.max(...files.map(({ end }) => end)));
			const failed = (error: Error) => this.#view.failed(error);
			await this.write({ lazy: true }).catch(failed);
			// Syncs the folder, and with it the names of both copies and of the snapshot.
			await this.write().catch(failed);
			for (const { path, release } of files) {
				await release();
				await rm(path, { force: true }).catch(failed);
			}
		}
		this.#removing = undefined;
	}
}
