import { rm } from 'node:fs/promises';
import type { DedupSnapshot } from '../dedup/dedup-snapshot.ts';
import type { SnapshotFiles } from '../dedup/snapshot-files.ts';
import type { CheckpointFile } from './checkpoint-file.ts';
import type { LogMeta } from './meta.ts';

const EVERY_MS = 1000;
/**
 * Where less than so much was appended since the last write, the meta file is only written so often: an SD card wears
 * out by each.
 */
const LITTLE_BYTES = 64 * 1024;
const LITTLE_EVERY = 5;
const SNAPSHOT_EVERY_BYTES = 32 * 1024 * 1024;

/** What the keeper needs to know of the log. */
export interface KeeperView {
	meta(clean: boolean): LogMeta;
	snapshot(): DedupSnapshot;
	/** Called every second, before anything is written. */
	everySecond(): void;
	/** A write failed; the next one is tried in a second. */
	failed(error: Error): void;
}

interface Discarded {
	path: string;
	/** Offset after its last record. */
	end: number;
	release: () => Promise<unknown>;
}

/**
 * Keeps on disk what stands beside the records: meta file and dedup snapshots; and removes files, once the meta file
 * says that they are gone.
 */
export class Keeper {
	readonly #view: KeeperView;
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

	constructor(view: KeeperView, metaFile: CheckpointFile<LogMeta>, snapshots: SnapshotFiles) {
		this.#view = view;
		this.#metaFile = metaFile;
		this.#snapshots = snapshots;
		this.#timer = setInterval(() => this.#everySecond(), EVERY_MS);
		this.#timer.unref();
	}

	/** Something that the meta file tells has changed; written within a second, or five where little comes in. */
	touch(): void {
		this.#dirty = true;
	}

	/** So many bytes of records were added. */
	grown(bytes: number): void {
		this.#dirty = true;
		this.#sinceWrite += bytes;
		this.#sinceSnapshot += bytes;
		if (this.#sinceSnapshot < SNAPSHOT_EVERY_BYTES) return;
		void this.#saveSnapshot();
	}

	/** Resolves when the log as it is now is in the meta file. */
	write(): Promise<void> {
		this.#dirty = false;
		this.#waited = 0;
		this.#sinceWrite = 0;
		return this.#metaFile.write(this.#view.meta(false));
	}

	/** Both copies of the meta file, at once: neither says any more that the log was closed in good order. */
	begin(): void {
		this.#metaFile.writeSync(this.#view.meta(false));
		this.#metaFile.writeSync(this.#view.meta(false));
	}

	/** Resolves when the dedup keys of every record before offset `end` are in a snapshot. */
	async keepKeys(end: number): Promise<void> {
		if (end > this.#snapshots.newest) await this.#saveSnapshot();
	}

	/** Removes a file that is no longer part of the log, after `release`. */
	discard(file: Discarded): void {
		this.#discarded.push(file);
		this.#removing ??= this.#removeDiscarded();
	}

	/**
	 * Writes everything a last time. @throws when it could not be written; the next start then finds a log as after a
	 * crash.
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
		if (this.#sinceWrite < LITTLE_BYTES && this.#waited < LITTLE_EVERY) return;
		this.write().catch((error: Error) => {
			this.#dirty = true;
			this.#view.failed(error);
		});
	}

	#saveSnapshot(): Promise<void> {
		this.#sinceSnapshot = 0;
		return this.#snapshots.save(this.#view.snapshot()).catch((error: Error) => this.#view.failed(error));
	}

	/**
	 * Its keys go into a snapshot first, if they are in none yet, and both copies of the meta file say that it was given
	 * up on purpose: a file that is gone without that counts as lost. Where that cannot be written the disk may be full,
	 * and needs the room.
	 */
	async #removeDiscarded(): Promise<void> {
		while (this.#discarded.length > 0) {
			const files = this.#discarded.splice(0);
			await this.keepKeys(Math.max(...files.map(({ end }) => end)));
			for (let copy = 0; copy < 2; copy++) await this.write().catch((error: Error) => this.#view.failed(error));
			for (const { path, release } of files) {
				await release();
				await rm(path, { force: true }).catch((error: Error) => this.#view.failed(error));
			}
		}
		this.#removing = undefined;
	}
}
