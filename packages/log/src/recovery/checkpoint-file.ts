import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

/**
 * A small JSON value kept in two files that are replaced in turn, each with a checksum and a serial number: whatever
 * happens to one of them, the other still holds the value before. A write half way touches neither. Write errors are
 * the caller's to report.
 */
export class CheckpointFile<T> {
	readonly #paths: readonly [string, string];
	readonly #unfinished: string;
	/** Which of the two holds the newest value; the other one is written next. */
	#newest: 0 | 1 = 1;
	#serial = 0;
	#running: Promise<void> = Promise.resolve();
	#waiting: { json: string; written: Promise<void> } | undefined;

	constructor(path: string) {
		this.#paths = [`${path}.a`, `${path}.b`];
		this.#unfinished = `${path}.tmp`;
	}

	/**
	 * The newest undamaged value, if there is one, and how many of the two files were damaged (present, but not readable
	 * as one).
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
	 * Resolves when `value`, as it is now, or a later one is on disk. While one write runs only the last value given
	 * waits, so that a slow disk gathers no queue. Nobody need wait for it: a failure is never an unhandled rejection.
	 */
	write(value: T): Promise<void> {
		const json = JSON.stringify(value);
		if (this.#waiting) {
			this.#waiting.json = json;
			return this.#waiting.written;
		}
		const run = () => {
			const latest = this.#waiting!.json;
			this.#waiting = undefined;
			return this.#write(latest);
		};
		const written = this.#running.then(run, run);
		written.catch(() => undefined);
		this.#waiting = { json, written };
		this.#running = written;
		return written;
	}

	async #write(json: string): Promise<void> {
		const { index, text } = this.#next(json);
		let file: FileHandle | undefined;
		try {
			file = await open(this.#unfinished, 'w', 0o600);
			await file.writeFile(text);
			// Before the other file is replaced this one must hold, also through a power cut.
			await file.datasync();
		} finally {
			await file?.close();
		}
		await rename(this.#unfinished, this.#paths[index]);
		this.#newest = index;
	}

	/** As `write`, at once. Call it only with no `write` under way. */
	writeSync(value: T): void {
		const { index, text } = this.#next(JSON.stringify(value));
		const fd = openSync(this.#unfinished, 'w', 0o600);
		try {
			const bytes = Buffer.from(text);
			for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
			fsyncSync(fd);
		} finally {
			closeSync(fd);
		}
		renameSync(this.#unfinished, this.#paths[index]);
		this.#newest = index;
	}

	/** Resolves when every `write` so far has ended, well or not. */
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
 * The text of a file, undefined when there is none. What is no file is moved out of the way, or nothing could ever be
 * written here.
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

/** The value that a file holds, with its serial number; undefined where it is damaged. */
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
