import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

/**
 * A small JSON value kept in two files that are written in turn, each with a checksum and a serial number: whatever happens to
 * one of them, or to a write half way, the other still holds the value before. Write errors are the caller's to report.
 */
export class CheckpointFile<T> {
	readonly #paths: readonly [string, string];
	#serial = 0;
	#writing: Promise<void> = Promise.resolve();

	constructor(path: string) {
		this.#paths = [`${path}.a`, `${path}.b`];
	}

	/** The newest undamaged value, if there is one, and how many of the two files were damaged (present, but not readable as one). */
	read(): { value: T | undefined; damaged: number } {
		let newest: { serial: number; value: T } | undefined;
		let damaged = 0;
		for (const path of this.#paths) {
			let text: string;
			try {
				text = readFileSync(path, 'utf8');
			} catch (error) {
				if ((error as NodeJS.ErrnoException).code !== 'ENOENT') damaged++;
				continue;
			}
			const entry = parse<T>(text);
			if (!entry) damaged++;
			else if (!newest || entry.serial > newest.serial) newest = entry;
		}
		this.#serial = newest?.serial ?? 0;
		return { value: newest?.value, damaged };
	}

	/** Writes beside the newest value, without waiting for the disk: a power cut may lose it, and then the value before counts. */
	write(value: T): Promise<void> {
		const { path, text } = this.#next(value);
		const run = async () => {
			let file: FileHandle | undefined;
			try {
				file = await open(path, 'w', 0o600);
				await file.writeFile(text);
			} finally {
				await file?.close();
			}
		};
		this.#writing = this.#writing.then(run, run);
		return this.#writing;
	}

	/** Writes and waits for the disk. Call it only with no `write` under way. */
	writeSync(value: T): void {
		const { path, text } = this.#next(value);
		const fd = openSync(path, 'w', 0o600);
		try {
			writeSync(fd, text);
			fsyncSync(fd);
		} finally {
			closeSync(fd);
		}
	}

	/** Resolves when every `write` so far has ended, well or not. */
	async settled(): Promise<void> {
		await this.#writing.catch(() => undefined);
	}

	#next(value: T): { path: string; text: string } {
		this.#serial++;
		const body = JSON.stringify({ serial: this.#serial, value });
		return { path: this.#paths[this.#serial % 2]!, text: `${crc32(body).toString(16).padStart(8, '0')} ${body}\n` };
	}
}

function parse<T>(text: string): { serial: number; value: T } | undefined {
	const body = text.slice(9).trimEnd();
	if (crc32(body).toString(16).padStart(8, '0') !== text.slice(0, 8)) return undefined;
	try {
		return JSON.parse(body) as { serial: number; value: T };
	} catch {
		return undefined;
	}
}
