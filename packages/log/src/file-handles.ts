import { type FileHandle, open } from 'node:fs/promises';
import { isNotTheDisk, salvage } from './salvage.ts';
import { LogWriteError } from './types.ts';

const MOST_OPEN = 8;
const TRIES = 3;

/** The file is not there, or cannot be opened at all. */
export class SegmentGoneError extends Error {}

/** The files that are open for reading; few at a time. */
export class FileHandles {
	readonly #open = new Map<string, Promise<FileHandle>>();
	#closed = false;

	/** `length` bytes from `position` on; what the disk does not give back is zeros. */
	async read(path: string, position: number, length: number): Promise<Buffer> {
		const bytes = Buffer.allocUnsafe(length);
		for (let tries = 1; ; tries++) {
			if (this.#closed) throw new LogWriteError('ECLOSED', 'the log is closed');
			try {
				await salvage(await this.#handle(path), bytes, position);
				return bytes;
			} catch (error) {
				this.close(path);
				// Closed by another read that needed the place: once more.
				const closedMeanwhile = (error as NodeJS.ErrnoException).code === 'EBADF';
				if (closedMeanwhile && tries < TRIES) continue;
				throw isNotTheDisk(error) ? error : new SegmentGoneError(path, { cause: error });
			}
		}
	}

	close(path: string): void {
		const handle = this.#open.get(path);
		this.#open.delete(path);
		handle?.then((opened) => opened.close()).catch(() => undefined);
	}

	async closeAll(): Promise<void> {
		this.#closed = true;
		const handles = [...this.#open.values()];
		this.#open.clear();
		await Promise.allSettled(handles.map(async (handle) => (await handle).close()));
	}

	#handle(path: string): Promise<FileHandle> {
		const known = this.#open.get(path);
		if (known) return known;
		for (const oldest of this.#open.keys()) {
			if (this.#open.size < MOST_OPEN) break;
			this.close(oldest);
		}
		const opening = open(path, 'r');
		this.#open.set(path, opening);
		return opening;
	}
}
