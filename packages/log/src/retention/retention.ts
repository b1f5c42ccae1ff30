import type { Cursors } from '../cursor/cursors.ts';
import type { Gaps } from '../cursor/gaps.ts';
import { SEGMENT_HEADER, type Segment } from '../segment/segment.ts';
import type { Segments } from '../segment/segments.ts';
import type { WhenFull } from './policy.ts';

/** The pending batch and the one being written may each begin a segment. */
const HEADERS = 2 * SEGMENT_HEADER;

export interface RetentionOptions {
	maxBytes: number;
	maxAgeMs: number;
	whenFull: WhenFull;
	/** Whether there may be room soon without dropping anything. */
	mayWait: () => boolean;
}

/** Keeps the log within its bounds by dropping its oldest segments, and records what was dropped. */
export class Retention {
	/** Number of records dropped, by reason. */
	readonly dropped = { oldest: 0, newest: 0, expired: 0, thinned: 0 };
	readonly #options: RetentionOptions;
	readonly #segments: Segments;
	readonly #cursors: Cursors;
	readonly #gaps: Gaps;
	readonly #discard: (segment: Segment, end: number) => void;

	/**
	 * `discard` is called for each segment that is no longer part of the log, with the offset after its last record, to
	 * remove its file.
	 */
	constructor(
		options: RetentionOptions,
		segments: Segments,
		cursors: Cursors,
		gaps: Gaps,
		discard: (segment: Segment, end: number) => void,
	) {
		this.#options = options;
		this.#segments = segments;
		this.#cursors = cursors;
		this.#gaps = gaps;
		this.#discard = discard;
	}

	/**
	 * Returns whether `bytes` more fit, after dropping what may be dropped: segments that every cursor has passed and,
	 * with
	 * `drop-oldest` or when thinning does not help, others too. `writing`: the newest segment is in use and must stay.
	 */
	makeRoom(bytes: number, writing: boolean): boolean {
		const { maxBytes, whenFull } = this.#options;
		const fits = () => this.#segments.bytes + bytes + HEADERS <= maxBytes;
		// What would not even fit an empty log must not empty it.
		if (bytes + HEADERS > maxBytes) return false;
		while (!fits()) {
			const left = this.#segments.list.length;
			if (left === 0 || (left === 1 && writing)) return false;
			const drops = whenFull === 'drop-oldest' || (whenFull === 'thin' && !this.#options.mayWait());
			if (this.#cursors.slowest() < this.#segments.oldestEnd && !drops) return false;
			this.#removeOldest(drops ? 'dropped-oldest' : 'consumed');
		}
		return true;
	}

	/** Drops segments that every cursor has passed, until at most `bytes` are left. */
	dropConsumed(bytes: number): void {
		while (
			this.#segments.list.length > 1 &&
			this.#segments.bytes > bytes &&
			this.#cursors.slowest() >= this.#segments.oldestEnd
		) {
			this.#removeOldest('consumed');
		}
	}

	/** Drops segments whose records are all older than the age bound, at `logTime` in seconds. */
	expire(logTime: number): void {
		const oldest = logTime - this.#options.maxAgeMs / 1000;
		for (;;) {
			// All records of a segment are older than the start of the next one.
			const next = this.#segments.list.findIndex((segment, index) => index > 0 && segment.header !== undefined);
			if (next === -1 || this.#segments.list[next]!.header!.logTime >= oldest) return;
			this.#removeOldest('expired');
		}
	}

	#removeOldest(reason: 'dropped-oldest' | 'expired' | 'consumed'): void {
		const end = this.#segments.oldestEnd;
		const lastAt = this.#segments.list[1]?.header?.startedAt || undefined;
		const oldest = this.#segments.removeOldest()!;
		const slowest = this.#cursors.slowest();
		const from = Math.min(oldest.firstOffset, end);
		const firstAt = oldest.header?.startedAt || undefined;
		const consumed = Math.min(Math.max(from, slowest), end);
		if (slowest === Number.POSITIVE_INFINITY) this.#gaps.add({ from, to: end - 1, reason, firstAt, lastAt });
		else {
			this.#gaps.add({ from, to: consumed - 1, reason: 'consumed' });
			const fresh = this.#gaps.add({ from: consumed, to: end - 1, reason, firstAt, lastAt });
			const lost = fresh.reduce((sum, gap) => sum + gap.to - gap.from + 1, 0);
			// Its thinned records are counted already.
			this.dropped[reason === 'expired' ? 'expired' : 'oldest'] += Math.max(0, lost - (oldest.header?.thinned ?? 0));
		}
		this.#discard(oldest, end);
	}
}
