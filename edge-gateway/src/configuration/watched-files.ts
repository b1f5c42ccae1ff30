import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';

const SETTLE_MS = 150;
const POLL_EVERY_MS = 2000;

/**
 * Notices when one of a few files is written, replaced, removed or created. Editors and `kubectl` replace files, so
 * their folders are watched; network file systems report no events, so the files are also polled every two seconds.
 */
export class WatchedFiles {
	readonly #onChange: () => void;
	readonly #watchers = new Map<string, FSWatcher>();
	#timer: NodeJS.Timeout | undefined;
	#paths: readonly string[] = [];
	#lastState = '';
	#settleTimer: NodeJS.Timeout | undefined;

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
		files.#timer = setInterval(() => files.#check(), POLL_EVERY_MS).unref();
		return files;
	}

	/** Watches these files from now on, starting from their present state. */
	follow(paths: readonly string[]): void {
		this.#paths = paths;
		const folders = new Set(paths.map(dirname));
		for (const [folder, watcher] of this.#watchers) {
			if (folders.has(folder)) continue;
			watcher.close();
			this.#watchers.delete(folder);
		}
		for (const folder of folders) if (!this.#watchers.has(folder)) this.#watch(folder);
		this.#lastState = this.#state();
	}

	close(): void {
		clearInterval(this.#timer);
		clearTimeout(this.#settleTimer);
		for (const watcher of this.#watchers.values()) watcher.close();
	}

	#watch(folder: string): void {
		try {
			const watcher = watch(folder, { persistent: false }, () => this.#check());
			watcher.on('error', () => this.#watchers.delete(folder));
			this.#watchers.set(folder, watcher);
		} catch {
			// The folder does not exist, or the system allows no more watches: polling does it.
		}
	}

	#check(): void {
		const state = this.#state();
		if (state === this.#lastState) return;
		this.#lastState = state;
		clearTimeout(this.#settleTimer);
		this.#settleTimer = setTimeout(() => this.#onChange(), SETTLE_MS);
	}

	#state(): string {
		return this.#paths.map(stateOf).join();
	}
}

/** Changes whenever the file does. A file that cannot be examined has a state, too: reading it reports the reason. */
function stateOf(path: string): string {
	try {
		const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
		return stat ? `${stat.ino} ${stat.size} ${stat.mtimeNs}` : 'none';
	} catch (error) {
		return String((error as NodeJS.ErrnoException).code);
	}
}
