import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeSnapshot } from './dedup-snapshot.ts';
import type { DedupOptions, DedupWindow } from './dedup-window.ts';

const KEPT = 2;

/** Snapshots of the dedup window in a log's folder, each named after the offset it is true at. The newest two are kept. */
export class SnapshotFiles {
	readonly #dir: string;
	#paths: string[];

	constructor(dir: string) {
		this.#dir = dir;
		this.#paths = readdirSync(dir)
			.filter((name) => /^dedup-\d{20}\.snap$/.test(name))
			.sort()
			.map((name) => join(dir, name));
	}

	/** The newest undamaged one. Damaged ones are removed and told to `onDamaged`. */
	load(options: Partial<DedupOptions>, onDamaged: (path: string) => void): { window: DedupWindow; from: number } | undefined {
		for (const path of this.#paths.toReversed()) {
			const window = decodeSnapshot(readFileSync(path), options);
			if (window) return { window, from: Number(path.slice(-25, -5)) };
			onDamaged(path);
			rmSync(path, { force: true });
			this.#paths = this.#paths.filter((other) => other !== path);
		}
		return undefined;
	}

	async save(offset: number, bytes: Buffer): Promise<void> {
		const path = this.#path(offset);
		await writeFile(path, bytes, { mode: 0o600 });
		for (const old of this.#keep(path)) await rm(old, { force: true });
	}

	/** As `save`, but waits for the disk. */
	saveSync(offset: number, bytes: Buffer): void {
		const path = this.#path(offset);
		writeFileSync(path, bytes, { mode: 0o600, flush: true });
		for (const old of this.#keep(path)) rmSync(old, { force: true });
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
