import { type FileHandle, open } from 'node:fs/promises';
import { type LogRecord, lookAtRecord, nextMagic, offsetAt, recordAt } from './record.ts';
import type { Gap } from './recovery.ts';
import { SEGMENT_HEADER, type Segment } from './segment.ts';

export interface ReadLimits {
	/** Default 1000. */
	maxRecords?: number;
	/** Payload bytes, default 1 MiB; one record is given however large it is. */
	maxBytes?: number;
}

export interface ReadResult {
	records: LogRecord[];
	/** Where to read on. */
	next: number;
	/** What is missing before `next` and was not told by an earlier read. */
	gaps: Gap[];
}

/** What the reader needs to know of the log it reads. */
export interface LogView {
	segments(): readonly Segment[];
	endOffset(): number;
	/** Losses that the segments do not show. */
	knownGaps(): readonly Gap[];
}

const CHUNK = 256 * 1024;
const MOST_HINTS = 64;
const MOST_HANDLES = 8;

/** Reads durable records by offset. Damage costs the records it touches: behind it the next whole record is found. */
export class LogReader {
	readonly #view: LogView;
	/** Where in its file the record of an offset begins, remembered from where an earlier read ended. */
	readonly #hints = new Map<number, { path: string; position: number }>();
	readonly #handles = new Map<string, Promise<FileHandle>>();

	constructor(view: LogView) {
		this.#view = view;
	}

	async read(from: number, limits: ReadLimits = {}): Promise<ReadResult> {
		const { maxRecords = 1000, maxBytes = 1024 * 1024 } = limits;
		const result: ReadResult = { records: [], next: from, gaps: [] };
		const first = this.#view.segments()[0];
		if (first && from < first.firstOffset) result.next = first.firstOffset;
		let budget = maxBytes;
		while (result.records.length < maxRecords && budget > 0) {
			const segments = this.#view.segments();
			const index = segments.findLastIndex((segment) => segment.firstOffset <= result.next);
			const segment = segments[index];
			if (!segment || result.next >= this.#view.endOffset()) break;
			const following = segments[index + 1];
			const before = result.next;
			budget -= await this.#readSegment(segment, following, result, maxRecords, budget);
			if (following && result.next === before && result.records.length < maxRecords && budget > 0) result.next = following.firstOffset;
			if (!following && result.next === before) break;
		}
		for (const gap of this.#view.knownGaps()) {
			if (gap.to >= from && gap.from < result.next) result.gaps.push({ ...gap, from: Math.max(gap.from, from) });
		}
		return result;
	}

	/** Reads on in one segment from `result.next`, and moves `result.next` past what was read. Returns the payload bytes taken. */
	async #readSegment(segment: Segment, following: Segment | undefined, result: ReadResult, maxRecords: number, maxBytes: number): Promise<number> {
		// The size is taken once: what is appended meanwhile belongs to the next read.
		const size = segment.size;
		const end = this.#view.endOffset();
		const hint = this.#hints.get(result.next);
		let position = hint?.path === segment.path ? hint.position : SEGMENT_HEADER;
		let chunkBytes = CHUNK;
		let taken = 0;
		while (position < size && result.records.length < maxRecords && taken < maxBytes) {
			const bytes = await this.#chunk(segment, position, Math.min(chunkBytes, size - position));
			if (bytes === undefined) {
				position = size;
				break;
			}
			chunkBytes = CHUNK;
			let at = 0;
			while (at < bytes.length && result.records.length < maxRecords && taken < maxBytes) {
				const look = lookAtRecord(bytes, at);
				const more = position + bytes.length < size;
				if (look.kind === 'whole') {
					const offset = offsetAt(bytes, at);
					if (offset >= result.next) {
						const record = recordAt(bytes, at, look.length);
						result.records.push(record);
						taken += record.payload.length;
						result.next = offset + 1;
					}
					at += look.length;
				} else if (look.kind === 'cut' && more) {
					chunkBytes = Math.max(CHUNK, look.needs);
					break;
				} else {
					const skipped = this.#skipDamage(bytes, at, more, result);
					if (skipped === at) break;
					at = skipped;
				}
			}
			if (at === 0) {
				if (chunkBytes === CHUNK) break;
				continue;
			}
			position += at;
		}
		if (position >= size && following) this.#closeSegment(segment, following, result);
		else if (position >= size && result.next < end) {
			result.gaps.push({ from: result.next, to: end - 1, reason: 'damaged' });
			result.next = end;
		} else this.#remember(result.next, segment.path, position);
		return taken;
	}

	/** Moves to the next whole record behind damage; what lies between is told as lost. */
	#skipDamage(bytes: Buffer, at: number, more: boolean, result: ReadResult): number {
		let next = nextMagic(bytes, at + 1);
		while (next !== -1) {
			const look = lookAtRecord(bytes, next);
			if (look.kind === 'whole') {
				const found = offsetAt(bytes, next);
				if (found > result.next) {
					result.gaps.push({ from: result.next, to: found - 1, reason: 'damaged' });
					result.next = found;
				}
				return next;
			}
			if (look.kind === 'cut' && more) return next;
			next = nextMagic(bytes, next + 1);
		}
		// Nothing whole here; a magic that straddles the chunk's end must still be found in the next one.
		return more ? Math.max(at + 1, bytes.length - 3) : bytes.length;
	}

	/** At the end of a segment that has a follower: what the follower says was there before it, and was not read, is lost. */
	#closeSegment(segment: Segment, following: Segment, result: ReadResult): void {
		const written = following.header ? following.header.previousEnd : following.firstOffset;
		const told = this.#view.knownGaps().some((gap) => gap.from <= result.next && gap.to >= written - 1);
		if (written > result.next && written > segment.firstOffset && !told) result.gaps.push({ from: result.next, to: written - 1, reason: 'damaged' });
		result.next = Math.max(result.next, following.firstOffset);
	}

	#remember(offset: number, path: string, position: number): void {
		this.#hints.delete(offset);
		this.#hints.set(offset, { path, position });
		if (this.#hints.size > MOST_HINTS) {
			for (const oldest of this.#hints.keys()) {
				this.#hints.delete(oldest);
				break;
			}
		}
	}

	async #chunk(segment: Segment, position: number, length: number): Promise<Buffer | undefined> {
		const bytes = Buffer.allocUnsafe(length);
		try {
			const handle = await this.#handle(segment.path);
			const { bytesRead } = await handle.read(bytes, 0, length, position);
			return bytesRead === 0 ? undefined : bytes.subarray(0, bytesRead);
		} catch {
			// Gone (retention took it) or unreadable: the caller goes on with the next segment and tells what is missing.
			this.forget(segment.path);
			return undefined;
		}
	}

	#handle(path: string): Promise<FileHandle> {
		const known = this.#handles.get(path);
		if (known) return known;
		const opening = open(path, 'r');
		this.#handles.set(path, opening);
		if (this.#handles.size > MOST_HANDLES) {
			for (const oldest of this.#handles.keys()) {
				this.forget(oldest);
				break;
			}
		}
		return opening;
	}

	/** Closes the file of a segment that was removed. */
	forget(path: string): void {
		const handle = this.#handles.get(path);
		this.#handles.delete(path);
		handle?.then((opened) => opened.close()).catch(() => undefined);
	}

	async close(): Promise<void> {
		const handles = [...this.#handles.values()];
		this.#handles.clear();
		await Promise.allSettled(handles.map(async (handle) => (await handle).close()));
	}
}
