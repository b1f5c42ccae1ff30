import { readFileSync, renameSync, rmSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { writeAtomically, writeAtomicallySync } from '@crowdvision/service-kit/files';

/**
 * A small JSON value in two files that are replaced in turn, each with a checksum and a serial number: whatever happens
 * to one of them, the other still holds the previous value. An interrupted write changes neither. Reporting write
 * errors is up to the caller.
 */
export class CheckpointFile<T> {
	readonly #paths: readonly [string, string];
	readonly #unfinished: string;
	/** The file with the newest value; the other one is written next. */
	#newest: 0 | 1 = 1;
	#serial = 0;
	#running: Promise<void> = Promise.resolve();
	#waiting: { json: string; lazy: boolean; written: Promise<void> } | undefined;

	constructor(path: string) {
		this.#paths = [`${path}.a`, `${path}.b`];
		this.#unfinished = `${path}.tmp`;
	}

	/**
	 * Reads the newest undamaged value, if there is one, and counts the damaged files (present but invalid).
	 */
	read(): { value: T | undefined; damaged: number } {
		let newest: { serial: number; value: T } | undefined;
		let damaged = 0;
		rmSync(this.#unfinished, { force: true, recursive: true });
		for (const index of [0, 1] as const) {
			const text = readText(this.#paths[index]);
			if (text === undefined) continue;
			const entry = parseCheckpoint<T>(text);
			if (!entry) damaged++;
			else if (!newest || entry.serial > newest.serial) {
				newest = entry;
				this.#newest = index;
			}
		}
		this.#serial = newest?.serial ?? 0;
		return { value: newest?.value, damaged };
	}

	/**
	 * Resolves when `value`, as it is now, or a later one is on disk. While one write runs only the latest value waits,
	 * so that a slow disk builds up no queue. A failure is never an unhandled rejection.
	 * @param options.lazy a power cut may bring one of the values before back; costs half of the waiting
	 */
	write(value: T, { lazy = false } = {}): Promise<void> {
		const json = JSON.stringify(value);
		if (this.#waiting) {
			this.#waiting.json = json;
			this.#waiting.lazy &&= lazy;
			return this.#waiting.written;
		}
		const run = () => {
			const latest = this.#waiting!;
			this.#waiting = undefined;
			return this.#write(latest.json, latest.lazy);
		};
		const written = this.#running.then(run, run);
		written.catch(() => undefined);
		this.#waiting = { json, lazy, written };
		this.#running = written;
		return written;
	}

	async #write(json: string, lazy: boolean): Promise<void> {
		const { index, text } = this.#next(json);
		// This file must be on disk before the next write replaces the other one.
		await writeAtomically(this.#paths[index], text, { unfinished: this.#unfinished, syncFolder: !lazy });
		this.#newest = index;
	}

	/** As `write`, synchronously. Call it only while no `write` is under way. */
	writeSync(value: T): void {
		const { index, text } = this.#next(JSON.stringify(value));
		writeAtomicallySync(this.#paths[index], text, { unfinished: this.#unfinished, syncFolder: true });
		this.#newest = index;
	}

	/** Resolves when every `write` so far has succeeded or failed. */
	async settled(): Promise<void> {
		await this.#running.catch(() => undefined);
	}

	#next(json: string): { index: 0 | 1; text: string } {
		this.#serial++;
		const body = `{"serial":${this.#serial},"value":${json}}`;
		return { index: this.#newest === 0 ? 1 : 0, text: `${crc32(body).toString(16).padStart(8, '0')} ${body}\n` };
	}
}

/**
 * The text of a file; undefined when it does not exist. Moves away a folder of that name, which would block writing.
 */
function readText(path: string): string | undefined {
	try {
		return readFileSync(path, 'utf8');
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === 'ENOENT') return undefined;
		if (code === 'EISDIR') renameSync(path, `${path}.${Date.now()}.aside`);
		return '';
	}
}

/** The value in a file with its serial number; undefined when it is damaged. */
export function parseCheckpoint<T>(text: string): { serial: number; value: T } | undefined {
	const body = text.slice(9).trimEnd();
	if (crc32(body).toString(16).padStart(8, '0') !== text.slice(0, 8)) return undefined;
	try {
		const { serial, value } = JSON.parse(body) as { serial: unknown; value: T };
		return typeof serial === 'number' ? { serial, value } : undefined;
	} catch {
		return undefined;
	}
}
