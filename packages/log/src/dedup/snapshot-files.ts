import {
	closeSync,
	fdatasyncSync,
	openSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type DedupSnapshot, decodeSnapshot, encodeSnapshot } from './dedup-snapshot.ts';
import type { DedupOptions } from './dedup-window.ts';

const KEPT = 2;
export const SNAPSHOT_NAME = /^dedup-\d{20}\.snap$/;
const UNFINISHED = /^dedup-\d{20}\.snap\.tmp$/;

/**
 * Snapshots of the dedup window in a log's folder, each named after the offset it is true at. The newest two are kept.
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

	/** The offset that the newest one is true at; 0 where there is none. */
	get newest(): number {
		return Number(this.#paths.at(-1)?.slice(-25, -5) ?? 0);
	}

	/** The newest undamaged one. Damaged ones are removed and told to `onDamaged`. */
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

	/** Rejects when it could not be written; then those before it stay. */
	save(snapshot: DedupSnapshot): Promise<void> {
		const path = this.#path(snapshot.offset);
		const bytes = encodeSnapshot(snapshot);
		const run = async () => {
			const file = await open(`${path}.tmp`, 'w', 0o600);
			try {
				await file.writeFile(bytes);
				await file.datasync();
			} finally {
				await file.close();
			}
			await rename(`${path}.tmp`, path);
			for (const old of this.#keep(path)) await rm(old, { force: true });
		};
		const saving = this.#saving.then(run, run);
		this.#saving = saving;
		return saving;
	}

	/** As `save`, at once. Call it only with no `save` under way. */
	saveSync(snapshot: DedupSnapshot): void {
		const path = this.#path(snapshot.offset);
		const fd = openSync(`${path}.tmp`, 'w', 0o600);
		try {
			writeFileSync(fd, encodeSnapshot(snapshot));
			fdatasyncSync(fd);
		} finally {
			closeSync(fd);
		}
		renameSync(`${path}.tmp`, path);
		for (const old of this.#keep(path)) rmSync(old, { force: true });
	}

	/** Resolves when every `save` so far has ended, well or not. */
	async settled(): Promise<void> {
		await this.#saving.catch(() => undefined);
	}

	#path(offset: number): string {
		return join(this.#dir, `dedup-${String(offset).padStart(20, '0')}.snap`);
	}

	#keep(path: string): string[] {
		const all = [...this.#paths.filter((other) => other !== path), path];
		this.#paths = all.slice(-KEPT);
		return all.slice(0, -KEPT);
	}
}

function read(path: string, options: Partial<DedupOptions>): DedupSnapshot | undefined {
	try {
		return decodeSnapshot(readFileSync(path), options);
	} catch {
		return undefined;
	}
}
