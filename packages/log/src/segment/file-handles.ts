import { type FileHandle, open } from 'node:fs/promises';
import { closedError } from '../errors.ts';
import { isNotTheDisk, salvage } from './salvage.ts';

const MAX_IDLE = 8;

/** The file does not exist or cannot be opened. */
export class SegmentGoneError extends Error {}

interface OpenFile {
	handle: Promise<FileHandle>;
	/** Reads under way; the file is not closed during one. */
	readers: number;
	/** To be closed after the last read. */
	unwanted: boolean;
	closed: PromiseWithResolvers<void>;
}

/** Files open for reading: those being read, and a few idle ones. */
export class FileHandles {
	/** Least recently used first. */
	readonly #open = new Map<string, OpenFile>();
	#closed = false;

	/**
	 * Reads `length` bytes from `position` on into `bytes`, and resolves with it; unreadable blocks are zeros.
	 * @throws SegmentGoneError; LogWriteError `ECLOSED` after `closeAll`; errors that do not blame the disk.
	 */
	async read(
		path: string,
		position: number,
		length: number,
		bytes: Buffer = Buffer.allocUnsafe(length),
	): Promise<Buffer> {
		if (this.#closed) throw closedError();
		const file = this.#open.get(path) ?? newFile(path);
		this.#open.delete(path);
		this.#open.set(path, file);
		file.readers++;
		try {
			await salvage(await file.handle, bytes, position);
			return bytes;
		} catch (error) {
			this.close(path);
			throw isNotTheDisk(error) ? error : new SegmentGoneError(path, { cause: error });
		} finally {
			file.readers--;
			if (file.unwanted) closeUnread(file);
			else this.#closeIdle();
		}
	}

	/** Closes a file as soon as no read of it is under way. */
	close(path: string): void {
		const file = this.#open.get(path);
		if (!file) return;
		this.#open.delete(path);
		file.unwanted = true;
		closeUnread(file);
	}

	/** Resolves when all files are closed, after the reads under way. Later reads are refused. */
	async closeAll(): Promise<void> {
		this.#closed = true;
		const files = [...this.#open];
		for (const [path] of files) this.close(path);
		await Promise.all(files.map(([, { closed }]) => closed.promise));
	}

	#closeIdle(): void {
		let idle = 0;
		for (const { readers } of this.#open.values()) if (readers === 0) idle++;
		for (const [path, { readers }] of this.#open) {
			if (idle <= MAX_IDLE) return;
			if (readers > 0) continue;
			this.close(path);
			idle--;
		}
	}
}

function newFile(path: string): OpenFile {
	return { handle: open(path, 'r'), readers: 0, unwanted: false, closed: Promise.withResolvers() };
}

function closeUnread({ handle, readers, closed }: OpenFile): void {
	if (readers > 0) return;
	handle
		.then((opened) => opened.close())
		.catch(() => undefined)
		.then(closed.resolve);
}
