import { FileHandles, SegmentGoneError } from './file-handles.ts';
import { inspectRecord, nextMagic, offsetAt } from './record.ts';
import { isThinned, recordsStart, type Segment } from './segment.ts';
import type { Segments } from './segments.ts';

/** How much one read returns at most. */
export interface ReadLimits {
	/** Default 1000. */
	maxRecords?: number;
	/** Payload bytes, default 1 MiB; at least one record is read, however large. */
	maxBytes?: number;
	/** Also reads records that are held back, to rebuild the state of the process from the log. Default false. */
	held?: boolean;
}

/** What a read does with the records it finds. */
export interface RecordTaker {
	/** Takes the record of `length` bytes at `position` of `bytes`. Returns the length of its payload. */
	take(bytes: Buffer, position: number, length: number): number;
	/**
	 * A buffer of at least `length` bytes to read into, for a taker that keeps no part of `bytes`. Without it each chunk
	 * gets a new buffer.
	 */
	room?(length: number): Buffer;
}

export interface Found {
	/** Number of records taken. */
	count: number;
	/** The offset to read on from. */
	next: number;
	/** Offsets before `next` whose records could not be read. */
	lost: { from: number; to: number }[];
	/** Offsets before `next` whose records were left out by thinning. */
	thinned: { from: number; to: number }[];
}

interface Place {
	path: string;
	position: number;
	/** Bytes from `position` on that were read already, for the read that continues there. */
	ahead?: Buffer | undefined;
}

/** One read under way. */
interface Reading {
	taker: RecordTaker;
	until: number;
	maxRecords: number;
	/** Payload bytes that may still be read. */
	left: number;
	found: Found;
}

const CHUNK = 256 * 1024;
/** For reads into the taker's own buffer. */
export const LARGE_CHUNK = 1024 * 1024;
const MAX_HINTS = 64;
/** Hints that keep bytes; each keeps less than a chunk. */
const MAX_AHEAD = 4;

/**
 * Reads durable records by offset. Damage only loses the records it touches: the next whole record is found after it.
 */
export class LogReader {
	readonly #segments: Segments;
	readonly #handles = new FileHandles();
	/** Positions of records in their files by offset, remembered from the ends of earlier reads. */
	readonly #hints = new Map<number, Place>();
	/** The hints that keep bytes, oldest first. */
	readonly #withAhead: Place[] = [];

	constructor(segments: Segments) {
		this.#segments = segments;
	}

	/**
	 * Hands the records from `from` on, up to before `until`, to `taker`.
	 * @throws errors that do not blame the disk, such as too many open files; nothing is lost by them.
	 */
	async read(
		from: number,
		{ maxRecords = 1000, maxBytes = 1024 * 1024 }: ReadLimits,
		until: number,
		taker: RecordTaker,
	): Promise<Found> {
		const found: Found = { count: 0, next: from, lost: [], thinned: [] };
		const reading: Reading = { taker, until, maxRecords, left: maxBytes, found };
		while (found.count < maxRecords && reading.left > 0) {
			const { list, start, end } = this.#segments;
			if (found.next < start) found.next = start;
			if (found.next >= Math.min(end, until)) break;
			const index = list.findLastIndex((segment) => segment.firstOffset <= found.next);
			const segment = list[Math.max(0, index)]!;
			const following = list[index + 1];
			try {
				await this.#readSegment(segment, following, following?.previousEnd ?? end, reading);
			} catch (error) {
				// Retention removed the segment during the read: the log begins later now.
				if (!(error instanceof SegmentGoneError) || this.#segments.list.includes(segment)) throw error;
			}
		}
		return found;
	}

	/** Closes the file of a segment that was removed. */
	forget(path: string): void {
		this.#handles.close(path);
	}

	close(): Promise<void> {
		return this.#handles.closeAll();
	}

	/**
	 * Reads on in one segment, whose records end before offset `end`, and moves `found.next` past what was read.
	 */
	async #readSegment(segment: Segment, following: Segment | undefined, end: number, reading: Reading): Promise<void> {
		const { taker, until, maxRecords, found } = reading;
		// Read once: what is appended meanwhile belongs to the next read.
		const size = segment.size;
		const first = found.count;
		const chunk = taker.room ? LARGE_CHUNK : CHUNK;
		const hint = this.#hints.get(found.next);
		let position = hint?.path === segment.path ? hint.position : recordsStart(segment);
		let ahead = hint?.path === segment.path ? hint.ahead : undefined;
		let want = chunk;
		let damaged = false;
		let heldBack = false;
		const full = () => heldBack || found.count >= maxRecords || reading.left <= 0;
		while (position < size && !full()) {
			const bytes = ahead ?? (await this.#chunk(segment, position, Math.min(want, size - position), taker));
			ahead = undefined;
			const more = position + bytes.length < size;
			want = chunk;
			let at = 0;
			while (at < bytes.length && !full()) {
				const inspected = inspectRecord(bytes, at);
				if (inspected.kind === 'whole') {
					const offset = offsetAt(bytes, at);
					if (offset >= until && offset < end) {
						heldBack = true;
						if (damaged && until > found.next) found.lost.push({ from: found.next, to: until - 1 });
						found.next = Math.max(found.next, until);
						break;
					}
					// Otherwise it is before `from`, or the copy from a failed write.
					if (offset >= found.next && offset < end) {
						if (offset > found.next && (damaged || isThinned(segment))) {
							(damaged ? found.lost : found.thinned).push({ from: found.next, to: offset - 1 });
						}
						reading.left -= taker.take(bytes, at, inspected.length);
						found.count++;
						found.next = offset + 1;
					}
					damaged = false;
					at += inspected.length;
				} else if (inspected.kind === 'cut' && more) {
					want = Math.max(chunk, inspected.needs);
					break;
				} else {
					damaged = true;
					at = skipDamage(bytes, at, more);
				}
			}
			position += at;
			if (full() && !taker.room && at < bytes.length) ahead = bytes.subarray(at);
		}
		if (heldBack || position < size || (!following && found.next >= end)) {
			if (found.count > first) this.#remember(found.next, { path: segment.path, position, ahead });
			return;
		}
		if (found.next < end) found.lost.push({ from: found.next, to: end - 1 });
		found.next = Math.max(found.next, following?.firstOffset ?? end);
	}

	async #chunk(segment: Segment, position: number, length: number, taker: RecordTaker): Promise<Buffer> {
		const bytes = taker.room?.(length).subarray(0, length) ?? Buffer.allocUnsafe(length);
		try {
			return await this.#handles.read(segment.path, position, length, bytes);
		} catch (error) {
			if (!(error instanceof SegmentGoneError) || !this.#segments.list.includes(segment)) throw error;
			return bytes.fill(0);
		}
	}

	#remember(offset: number, place: Place): void {
		this.#hints.delete(offset);
		this.#hints.set(offset, place);
		if (place.ahead) {
			this.#withAhead.push(place);
			if (this.#withAhead.length > MAX_AHEAD) delete this.#withAhead.shift()!.ahead;
		}
		if (this.#hints.size <= MAX_HINTS) return;
		for (const oldest of this.#hints.keys()) {
			this.#hints.delete(oldest);
			return;
		}
	}
}

/** The next position after `at` where a record may begin. If there is `more`, a magic may straddle the end. */
function skipDamage(bytes: Buffer, at: number, more: boolean): number {
	const next = nextMagic(bytes, at + 1);
	if (next !== -1) return next;
	return more ? Math.max(at + 1, bytes.length - 3) : bytes.length;
}
