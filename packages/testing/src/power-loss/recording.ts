import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { DiskEvent } from './disk-model.ts';

const RECORDER = new URL('./record-disk.ts', import.meta.url);

/** A folder whose changes are recorded, and the file with the record. Both are given, and removed, by the caller. */
export class DiskRecording {
	readonly folder: string;
	readonly #trace: string;

	constructor(folder: string, trace: string) {
		this.folder = folder;
		this.#trace = trace;
	}

	/**
	 * The environment of a process whose changes are recorded, for `startNode`. Several processes may follow each other.
	 * @param killAt instead of the nth sync of a path that matches, the process kills itself
	 * @param failAt the nth sync of a path that matches fails, as on a disk with an error
	 */
	env(killAt?: { path: RegExp; nth: number }, failAt?: { path: RegExp; nth: number }): Record<string, string> {
		return {
			NODE_OPTIONS: `--import=${RECORDER.href}`,
			RECORD_DISK_FOLDER: this.folder,
			RECORD_DISK_TRACE: this.#trace,
			...(killAt && { RECORD_DISK_KILL: `${killAt.nth} ${killAt.path.source}` }),
			...(failAt && { RECORD_DISK_FAIL: `${failAt.nth} ${failAt.path.source}` }),
		};
	}

	/** Notes a promise, for example that a reading was acknowledged, after everything that happened so far. */
	mark(text: string): void {
		appendFileSync(this.#trace, `${JSON.stringify({ do: 'mark', text } satisfies DiskEvent)}\n`);
	}

	/** What happened so far, in order. */
	events(): DiskEvent[] {
		if (!existsSync(this.#trace)) return [];
		return readFileSync(this.#trace, 'utf8')
			.split('\n')
			.filter((line) => line !== '')
			.map((line) => JSON.parse(line) as DiskEvent);
	}
}
