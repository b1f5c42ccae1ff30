/** Notices that a disk that refused a write takes writes again. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommitWorker } from './worker.ts';

/** Below the name of a segment, so that recovery never takes it for one. */
export const PROBE_FILE = 'probe.tmp';
/** A full disk that has room for less is still full. */
const PROBE_BYTES = 64 * 1024;

/**
 * Tries whether the disk takes a write, so that a log in trouble is well again by itself: nobody may send to a gateway
 * that is not ready, and then no append would find out.
 */
export class DiskProbe {
	readonly #parts: { dir: string; worker: CommitWorker };
	readonly #failures: () => number;
	readonly #onGood: () => void;
	#running = false;

	/** `failures` counts failed writes; `onGood` is called when the disk took a write and none has failed meanwhile. */
	constructor(parts: { dir: string; worker: CommitWorker }, failures: () => number, onGood: () => void) {
		this.#parts = parts;
		this.#failures = failures;
		this.#onGood = onGood;
	}

	/** Writes a file, waits until it is on disk, and removes it. Never rejects. */
	async probe(): Promise<void> {
		if (this.#running) return;
		this.#running = true;
		const { dir, worker } = this.#parts;
		const file = join(dir, PROBE_FILE);
		const before = this.#failures();
		const data = new ArrayBuffer(PROBE_BYTES);
		const { error } = await worker.send({ kind: 'write', file, position: 0, data, length: PROBE_BYTES });
		if (!error) {
			await worker.send({ kind: 'close', file });
			await rm(file, { force: true }).catch(() => undefined);
			if (this.#failures() === before) this.#onGood();
		}
		this.#running = false;
	}
}
