/** Notices that serial ports come and go. */
import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Events within this time, such as those of udev's links for one port, cause a single scan. */
const SETTLE_MS = 20;
/** Finds what no event reports: folders that are created later, and a link that vanishes together with its folder. */
const SCAN_EVERY_MS = 1000;

/** Calls `scan` whenever a serial port may have come or gone: at once after a kernel event, and once a second. */
export class PortWatch {
	readonly #folders: () => string[];
	readonly #scan: () => void;
	readonly #watched = new Map<string, { watcher: FSWatcher; inode: bigint }>();
	#settling: NodeJS.Timeout | undefined;
	#ticking: NodeJS.Timeout | undefined;

	/** @param folders returns the folders to watch now, whether or not they exist */
	constructor(folders: () => string[], scan: () => void) {
		this.#folders = folders;
		this.#scan = scan;
	}

	/** Idempotent. */
	start(): void {
		this.#ticking ??= setInterval(() => void this.#tick(), SCAN_EVERY_MS).unref();
		void this.#tick();
	}

	stop(): void {
		clearInterval(this.#ticking);
		clearTimeout(this.#settling);
		this.#ticking = undefined;
		for (const folder of this.#watched.keys()) this.#forget(folder);
	}

	async #tick(): Promise<void> {
		const folders = new Set(this.#folders());
		for (const folder of this.#watched.keys()) if (!folders.has(folder)) this.#forget(folder);
		for (const folder of folders) await this.#watch(folder);
		if (this.#ticking) this.#scan();
	}

	/** Compares inodes: a watch on a folder that was removed and created again reports nothing of the new one. */
	async #watch(folder: string): Promise<void> {
		const inode = (await stat(folder, { bigint: true }).catch(() => undefined))?.ino;
		const watched = this.#watched.get(folder);
		if (watched?.inode === inode || !this.#ticking) return;
		this.#forget(folder);
		if (inode === undefined) return;
		try {
			// Only files that come and go: below /dev, every write is an event too.
			const watcher = watch(folder, { persistent: false }, (event) => event === 'rename' && this.#tickSoon());
			watcher.on('error', () => this.#forget(folder));
			this.#watched.set(folder, { watcher, inode });
		} catch {
			// The system has no watch left, or the folder is gone: it is still scanned once a second.
		}
	}

	#tickSoon(): void {
		this.#settling ??= setTimeout(() => {
			this.#settling = undefined;
			void this.#tick();
		}, SETTLE_MS).unref();
	}

	#forget(folder: string): void {
		this.#watched.get(folder)?.watcher.close();
		this.#watched.delete(folder);
	}
}

/** The folders in which a port of these paths and patterns may appear, and udev's. */
export function foldersOf(paths: readonly string[], root: string): string[] {
	const below = (path: string) => join(root, path);
	// /dev itself has far more events than ports, so it is watched only through the links that udev makes.
	const named = paths.map((path) => dirname(path.replace(/[^/]*[*?[{].*$/, 'x'))).filter((folder) => folder !== '/dev');
	return [...new Set(['/dev/serial', '/dev/serial/by-path', '/dev/serial/by-id', ...named])].map(below);
}
