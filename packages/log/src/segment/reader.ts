import { FileHandles, SegmentGoneError } from './file-handles.ts';
import { type LogRecord, lookAtRecord, nextMagic, offsetAt, recordAt } from './record.ts';
import { isThinned, recordsStart, type Segment } from './segment.ts';
import type { Segments } from './segments.ts';

export interface ReadLimits {
	/** Default 1000. */
	maxRecords?: number;
	/** Payload bytes, default 1 MiB; one record is given however large it is. */
	maxBytes?: number;
	/** Also what readers are not to see yet; for who rebuilds the state of the process from the log. Default false. */
	held?: boolean;
}

/** What was read, and which offsets before `next` should be there but could not be read. */
export interface Found {
	records: LogRecord[];
	next: number;
	lost: { from: number; to: number }[];
	/** Offsets that were left out when their segment was thinned. */
	thinned: { from: number; to: number }[];
}

interface Place {
	path: string;
	position: number;
}

const CHUNK = 256 * 1024;
const MOST_HINTS = 64;

/** Reads durable records by offset. Damage costs the records it touches: behind it the next whole record is found. */
export class LogReader {
	readonly #segments: Segments;
	readonly #handles = new FileHandles();
	/** Where in its file the record of an offset begins, remembered from where an earlier read ended. */
	readonly #hints = new Map<number, Place>();

	constructor(segments: Segments) {
		this.#segments = segments;
	}

	/**
	 * Reads what is before offset `until`.
	 * @throws what the system says where it has nothing to do with the disk, such as too many open files; nothing is lost
	 * by that.
	 */
	async read(
		from: number,
		{ maxRecords = 1000, maxBytes = 1024 * 1024 }: ReadLimits = {},
		until = Number.POSITIVE_INFINITY,
	): Promise<Found> {
		const found: Found = { records: [], next: from, lost: [], thinned: [] };
		let left = maxBytes;
		while (found.records.length < maxRecords && left > 0) {
			const { list, start, end } = this.#segments;
			if (found.next < start) found.next = start;
			if (found.next >= Math.min(end, until)) break;
			const index = list.findLastIndex((segment) => segment.firstOffset <= found.next);
			const segment = list[Math.max(0, index)]!;
			const following = list[index + 1];
			try {
				left -= await this.#readSegment(
					segment,
					following,
					following?.previousEnd ?? end,
					until,
					found,
					maxRecords,
					left,
				);
			} catch (error) {
				// Retention took it while it was read: what is left begins further on.
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
	 * Reads on in one segment, whose records end before offset `end`, as far as `until`, and moves `found.next` past what
	 * was read. Returns the payload bytes taken.
	 */
	async #readSegment(
		segment: Segment,
		following: Segment | undefined,
		end: number,
		until: number,
		found: Found,
		maxRecords: number,
		maxBytes: number,
	): Promise<number> {
		// Taken once: what is appended meanwhile belongs to the next read.
		const size = segment.size;
		const first = found.records.length;
		const hint = this.#hints.get(found.next);
		let position = hint?.path === segment.path ? hint.position : recordsStart(segment);
		let want = CHUNK;
		let taken = 0;
		let damaged = false;
		let heldBack = false;
		const full = () => heldBack || found.records.length >= maxRecords || taken >= maxBytes;
		while (position < size && !full()) {
			const bytes = await this.#chunk(segment, position, Math.min(want, size - position));
			const more = position + bytes.length < size;
			want = CHUNK;
			let at = 0;
			while (at < bytes.length && !full()) {
				const look = lookAtRecord(bytes, at);
				if (look.kind === 'whole') {
					const offset = offsetAt(bytes, at);
					if (offset >= until && offset < end) {
						heldBack = true;
						if (damaged && until > found.next) found.lost.push({ from: found.next, to: until - 1 });
						found.next = Math.max(found.next, until);
						break;
					}
					// Else it is before `from`, or the copy of a write that failed.
					if (offset >= found.next && offset < end) {
						if (offset > found.next && (damaged || isThinned(segment))) {
							(damaged ? found.lost : found.thinned).push({ from: found.next, to: offset - 1 });
						}
						const record = recordAt(bytes, at, look.length);
						found.records.push(record);
						found.next = offset + 1;
						taken += record.payload.length;
					}
					damaged = false;
					at += look.length;
				} else if (look.kind === 'cut' && more) {
					want = Math.max(CHUNK, look.needs);
					break;
				} else {
					damaged = true;
					at = skipDamage(bytes, at, more);
				}
			}
			position += at;
		}
		if (heldBack || position < size || (!following && found.next >= end)) {
			if (found.records.length > first) this.#remember(found.next, { path: segment.path, position });
			return taken;
		}
		if (found.next < end) found.lost.push({ from: found.next, to: end - 1 });
		found.next = Math.max(found.next, following?.firstOffset ?? end);
		return taken;
	}

	async #chunk(segment: Segment, position: number, length: number): Promise<Buffer> {
		try {
			return await this.#handles.read(segment.path, position, length);
		} catch (error) {
			if (!(error instanceof SegmentGoneError) || !this.#segments.list.includes(segment)) throw error;
			return Buffer.alloc(length);
		}
	}

	#remember(offset: number, place: Place): void {
		this.#hints.delete(offset);
		this.#hints.set(offset, place);
		if (this.#hints.size <= MOST_HINTS) return;
		for (const oldest of this.#hints.keys()) {
			this.#hints.delete(oldest);
			return;
		}
	}
}

/**
 * Position of the next place behind `at` where a record may begin. A magic that straddles the end must still be found
 * when there is `more`.
 */
function skipDamage(bytes: Buffer, at: number, more: boolean): number {
	const next = nextMagic(bytes, at + 1);
	if (next !== -1) return next;
	return more ? Math.max(at + 1, bytes.length - 3) : bytes.length;
}
