import type { Cursors } from '../cursor/cursors.ts';
import type { Gaps } from '../cursor/gaps.ts';
import { SEGMENT_HEADER, type Segment } from '../segment/segment.ts';
import type { Segments } from '../segment/segments.ts';
import type { WhenFull } from '../types.ts';

/** A batch that waits and one that is being written may each begin a segment. */
const HEADERS = 2 * SEGMENT_HEADER;

export interface RetentionOptions {
	maxBytes: number;
	maxAgeMs: number;
	whenFull: WhenFull;
	/** Whether there may be room soon without giving anything up. */
	mayWait: () => boolean;
}

/** Keeps the log within its bounds by giving up its oldest segments, and remembers what was given up. */
export class Retention {
	readonly dropped = { oldest: 0, newest: 0, expired: 0, thinned: 0 };
	readonly #options: RetentionOptions;
	readonly #segments: Segments;
	readonly #cursors: Cursors;
	readonly #gaps: Gaps;
	readonly #discard: (segment: Segment, end: number) => void;

	/**
	 * `discard` is given each segment that is no longer part of the log, and the offset it ended before, to remove its
	 * file.
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
	 * True when `bytes` more fit, after giving up what may be: what every cursor has passed and, by `drop-oldest` or
	 * where thinning does not help, also what not. `writing`: the newest segment is being written to, and must stay.
	 */
	makeRoom(bytes: number, writing: boolean): boolean {
		const { maxBytes, whenFull } = this.#options;
		const fits = () => this.#segments.bytes + bytes + HEADERS <= maxBytes;
		// What would not fit an empty log either must not empty it.
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

	/** Gives up what every cursor has passed, until no more than `bytes` are left. */
	giveUpConsumed(bytes: number): void {
		while (
			this.#segments.list.length > 1 &&
			this.#segments.bytes > bytes &&
			this.#cursors.slowest() >= this.#segments.oldestEnd
		) {
			this.#removeOldest('consumed');
		}
	}

	/** Gives up segments that hold nothing newer than the age bound, as of `logTime` seconds. */
	expire(logTime: number): void {
		const oldest = logTime - this.#options.maxAgeMs / 1000;
		for (;;) {
			// Everything in a segment is older than the one that was begun after it.
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
			// What was left out of it is counted already.
			this.dropped[reason === 'expired' ? 'expired' : 'oldest'] += Math.max(0, lost - (oldest.header?.thinned ?? 0));
		}
		this.#discard(oldest, end);
	}
}
