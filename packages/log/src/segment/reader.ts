import { FileHandles, SegmentGoneError } from './file-handles.ts';
import { inspectRecord, type LogRecord, nextMagic, offsetAt, recordAt } from './record.ts';
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

export interface Found {
	records: LogRecord[];
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
}

const CHUNK = 256 * 1024;
const MAX_HINTS = 64;

/**
 * Reads durable records by offset. Damage only loses the records it touches: the next whole record is found after it.
 */
export class LogReader {
	readonly #segments: Segments;
	readonly #handles = new FileHandles();
	/** Positions of records in their files by offset, remembered from the ends of earlier reads. */
	readonly #hints = new Map<number, Place>();

	constructor(segments: Segments) {
		this.#segments = segments;
	}

	/**
	 * Reads from `from` on, up to before `until`.
	 * @throws errors that do not blame the disk, such as too many open files; nothing is lost by them.
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
	 * Reads on in one segment, whose records end before offset `end`, up to before `until`, and moves `found.next` past
	 * what was read. Returns the number of payload bytes read.
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
		// Read once: what is appended meanwhile belongs to the next read.
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
						const record = recordAt(bytes, at, inspected.length);
						found.records.push(record);
						found.next = offset + 1;
						taken += record.payload.length;
					}
					damaged = false;
					at += inspected.length;
				} else if (inspected.kind === 'cut' && more) {
					want = Math.max(CHUNK, inspected.needs);
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
