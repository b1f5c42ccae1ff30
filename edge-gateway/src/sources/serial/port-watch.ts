import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What comes at once, such as udev's links, is looked at together. */
const SETTLE_MS = 20;
/** Folders that are not there yet, and what no event tells of: a link that is gone with its folder. */
const LOOK_EVERY_MS = 1000;

/** Tells when a port may have come or gone: at once by the kernel's events, and once a second whatever they say. */
export class PortWatch {
	readonly #folders: () => string[];
	readonly #look: () => void;
	readonly #watched = new Map<string, { watcher: FSWatcher; inode: bigint }>();
	#settling: NodeJS.Timeout | undefined;
	#ticking: NodeJS.Timeout | undefined;

	/** @param folders those to watch at the time, whether or not they are there */
	constructor(folders: () => string[], look: () => void) {
		this.#folders = folders;
		this.#look = look;
	}

	/** Called again, it changes nothing. */
	start(): void {
		this.#ticking ??= setInterval(() => void this.#tick(), LOOK_EVERY_MS).unref();
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
		if (this.#ticking) this.#look();
	}

	/** A folder that was removed and made again is another one, of which the old watch hears nothing. */
	async #watch(folder: string): Promise<void> {
		const inode = (await stat(folder, { bigint: true }).catch(() => undefined))?.ino;
		const watched = this.#watched.get(folder);
		if (watched?.inode === inode || !this.#ticking) return;
		this.#forget(folder);
		if (inode === undefined) return;
		try {
			// Only what comes and goes: below /dev, every write is an event too.
			const watcher = watch(folder, { persistent: false }, (event) => event === 'rename' && this.#soon());
			watcher.on('error', () => this.#forget(folder));
			this.#watched.set(folder, { watcher, inode });
		} catch {
			// Out of watches, or gone meanwhile: it is looked at once a second all the same.
		}
	}

	#soon(): void {
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

/** The folders in which a port may appear that one of these paths and patterns names; and those of udev. */
export function foldersOf(paths: readonly string[], root: string): string[] {
	const below = (path: string) => join(root, path);
	// The whole of /dev is watched only through what udev makes in it: there are far more events than ports.
	const named = paths.map((path) => dirname(path.replace(/[^/]*[*?[{].*$/, 'x'))).filter((folder) => folder !== '/dev');
	return [...new Set(['/dev/serial', '/dev/serial/by-path', '/dev/serial/by-id', ...named])].map(below);
}
