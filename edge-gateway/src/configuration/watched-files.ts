import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';

const SETTLED_MS = 150;
const LOOK_EVERY_MS = 2000;

/**
 * Tells when one of a few files was written, replaced, removed or made. Editors and `kubectl` replace files, and
 * network file systems tell nobody: so their folders are watched, and besides they are looked at every two seconds.
 */
export class WatchedFiles {
	readonly #onChange: () => void;
	readonly #watchers = new Map<string, FSWatcher>();
	#timer: NodeJS.Timeout | undefined;
	#paths: readonly string[] = [];
	#seen = '';
	#settling: NodeJS.Timeout | undefined;

	private constructor(onChange: () => void) {
		this.#onChange = onChange;
	}

	/**
	 * Begins to watch `paths`.
	 * @param onChange called 150 ms after the last change, so that a half-written file is not read
	 */
	static watch(paths: readonly string[], onChange: () => void): WatchedFiles {
		const files = new WatchedFiles(onChange);
		files.follow(paths);
		files.#timer = setInterval(() => files.#look(), LOOK_EVERY_MS).unref();
		return files;
	}

	/** From now on these, as they are at this moment. */
	follow(paths: readonly string[]): void {
		this.#paths = paths;
		const folders = new Set(paths.map(dirname));
		for (const [folder, watcher] of this.#watchers) {
			if (folders.has(folder)) continue;
			watcher.close();
			this.#watchers.delete(folder);
		}
		for (const folder of folders) if (!this.#watchers.has(folder)) this.#watch(folder);
		this.#seen = this.#state();
	}

	close(): void {
		clearInterval(this.#timer);
		clearTimeout(this.#settling);
		for (const watcher of this.#watchers.values()) watcher.close();
	}

	#watch(folder: string): void {
		try {
			const watcher = watch(folder, { persistent: false }, () => this.#look());
			watcher.on('error', () => this.#watchers.delete(folder));
			this.#watchers.set(folder, watcher);
		} catch {
			// A folder that is not there, or more watches than the system allows: the timer looks.
		}
	}

	#look(): void {
		const state = this.#state();
		if (state === this.#seen) return;
		this.#seen = state;
		clearTimeout(this.#settling);
		this.#settling = setTimeout(() => this.#onChange(), SETTLED_MS);
	}

	#state(): string {
		return this.#paths.map(stateOf).join();
	}
}

/** Changes with the file. One that cannot be looked at is in a state too: whoever reads it says what is wrong. */
function stateOf(path: string): string {
	try {
		const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
		return stat ? `${stat.ino} ${stat.size} ${stat.mtimeNs}` : 'none';
	} catch (error) {
		return String((error as NodeJS.ErrnoException).code);
	}
}
