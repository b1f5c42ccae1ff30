import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically, writeAtomicallySync } from '@crowdvision/service-kit/files';
import { type DedupSnapshot, decodeSnapshot, encodeSnapshot } from './snapshot.ts';
import type { DedupOptions } from './window.ts';

const MAX_SNAPSHOTS = 2;
export const SNAPSHOT_NAME = /^dedup-\d{20}\.snap$/;
const UNFINISHED = /^dedup-\d{20}\.snap\.tmp$/;

/**
 * The snapshots of the dedup window in a log's folder, named after their offsets. The newest two are kept. A power cut
 * may take the newest, until the folder is synced: what it makes dispensable is removed only after that.
 */
export class SnapshotFiles {
	readonly #dir: string;
	#paths: string[] = [];
	#saving: Promise<void> = Promise.resolve();

	constructor(dir: string) {
		this.#dir = dir;
		for (const name of readdirSync(dir).sort()) {
			if (SNAPSHOT_NAME.test(name)) this.#paths.push(join(dir, name));
			else if (UNFINISHED.test(name)) rmSync(join(dir, name), { force: true, recursive: true });
		}
	}

	get empty(): boolean {
		return this.#paths.length === 0;
	}

	/** The offset of the newest snapshot; 0 if there is none. */
	get newest(): number {
		return Number(this.#paths.at(-1)?.slice(-25, -5) ?? 0);
	}

	/** Loads the newest undamaged snapshot. Removes damaged ones and calls `onDamaged` for each. */
	load(options: Partial<DedupOptions>, onDamaged: (path: string) => void): DedupSnapshot | undefined {
		for (const path of this.#paths.toReversed()) {
			const snapshot = read(path, options);
			if (snapshot) return snapshot;
			onDamaged(path);
			rmSync(path, { force: true, recursive: true });
			this.#paths = this.#paths.filter((other) => other !== path);
		}
		return undefined;
	}

	/** Writes a snapshot and removes older ones. Rejects when it could not be written; the older ones then stay. */
	save(snapshot: DedupSnapshot): Promise<void> {
		const path = this.#path(snapshot.offset);
		const bytes = encodeSnapshot(snapshot);
		const run = async () => {
			await writeAtomically(path, bytes);
			for (const old of this.#add(path)) await rm(old, { force: true });
		};
		const saving = this.#saving.then(run, run);
		this.#saving = saving;
		return saving;
	}

	/** As `save`, synchronously. Call it only while no `save` is under way. */
	saveSync(snapshot: DedupSnapshot): void {
		const path = this.#path(snapshot.offset);
		writeAtomicallySync(path, encodeSnapshot(snapshot));
		for (const old of this.#add(path)) rmSync(old, { force: true });
	}

	/** Resolves when every `save` so far has succeeded or failed. */
	async settled(): Promise<void> {
		await this.#saving.catch(() => undefined);
	}

	#path(offset: number): string {
		return join(this.#dir, `dedup-${String(offset).padStart(20, '0')}.snap`);
	}

	/** Adds a path; returns the paths to remove. */
	#add(path: string): string[] {
		const all = [...this.#paths.filter((other) => other !== path), path];
		this.#paths = all.slice(-MAX_SNAPSHOTS);
		return all.slice(0, -MAX_SNAPSHOTS);
	}
}

function read(path: string, options: Partial<DedupOptions>): DedupSnapshot | undefined {
	try {
		return decodeSnapshot(readFileSync(path), options);
	} catch {
		return undefined;
	}
}
