import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Temporary folders; `removeAll` removes them. */
export class Folders {
	readonly #made: string[] = [];

	/** `inMemory`: on a disk in memory, where the system has one. */
	make({ inMemory = false } = {}): string {
		const dir = mkdtempSync(join(inMemory && existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'log-'));
		this.#made.push(dir);
		return dir;
	}

	/**
	 * A copy of a folder as a kill -9 at this moment would leave it; copied again until nothing changed during the copy.
	 * Blocks this thread, so that a log that is open in it makes no progress beyond the write under way.
	 */
	asIfKilled(dir: string): string {
		const copy = this.make();
		for (;;) {
			const before = fingerprint(dir);
			try {
				copyFolder(dir, copy);
			} catch (error) {
				if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
			}
			if (fingerprint(dir) === before && fingerprint(dir, false) === fingerprint(copy, false)) return copy;
			rmSync(copy, { recursive: true });
		}
	}

	copy(dir: string): string {
		const copy = this.make();
		copyFolder(dir, copy);
		return copy;
	}

	remove(dir: string): void {
		rmSync(dir, { recursive: true, force: true });
	}

	removeAll(): void {
		for (const dir of this.#made.splice(0)) this.remove(dir);
	}
}

function copyFolder(from: string, to: string): void {
	mkdirSync(to, { recursive: true });
	for (const entry of readdirSync(from, { withFileTypes: true })) {
		if (entry.isDirectory()) copyFolder(join(from, entry.name), join(to, entry.name));
		else copyFileSync(join(from, entry.name), join(to, entry.name));
	}
}

function fingerprint(dir: string, times = true): string {
	return readdirSync(dir)
		.sort()
		.filter((name) => existsSync(join(dir, name)))
		.map((name) => {
			const found = statSync(join(dir, name), { throwIfNoEntry: false });
			return `${name} ${found?.isFile() ? found.size : ''} ${times ? found?.mtimeMs : ''}`;
		})
		.join('\n');
}
