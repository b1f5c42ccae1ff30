import { isLoss, type RangeCount } from './cursor-tally.ts';

/** Offsets whose records are gone, from `from` to `to`, both included. */
export interface Gap {
	from: number;
	to: number;
	/**
	 * `damaged`: unreadable on disk. `dropped-oldest`, `dropped-newest`, `expired`: dropped by the policy or the age
	 * bound.
	 * `thinned`: left out to make room; the records around such gaps represent them. `consumed`: removed after every
	 * cursor had passed them; only a reader that goes back further gets this gap.
	 */
	reason: 'damaged' | 'dropped-oldest' | 'dropped-newest' | 'expired' | 'thinned' | 'consumed';
	/** When the first and the last of the records were appended, epoch ms, as far as known. */
	firstAt?: number;
	lastAt?: number;
}

/** A gap, or `unwritten` offsets: those were assigned but never to a record on disk, so nothing is missing there. */
export interface KnownGap {
	from: number;
	to: number;
	reason: Gap['reason'] | 'unwritten';
	firstAt?: number | undefined;
	lastAt?: number | undefined;
}

const MAX_GAPS = 1000;
/** Which reason a gap gets that is merged from two. */
const GRAVITY: Record<KnownGap['reason'], number> = {
	damaged: 3,
	'dropped-oldest': 2,
	'dropped-newest': 2,
	expired: 2,
	thinned: 2,
	consumed: 1,
	unwritten: 0,
};

/** The known gaps of a log: sorted, without overlap, and bounded in number. */
export class Gaps {
	#gaps: KnownGap[];

	constructor(gaps: readonly KnownGap[] = []) {
		this.#gaps = [];
		for (const gap of gaps) this.add(gap);
	}

	/** Adds a gap. Returns the parts of it that were not known yet. */
	add(gap: KnownGap): KnownGap[] {
		const fresh: KnownGap[] = [];
		let from = gap.from;
		let at = this.#after(from);
		const begin = at;
		for (; from <= gap.to; at++) {
			const known = this.#gaps[at];
			const to = known && known.from <= gap.to ? known.from - 1 : gap.to;
			if (to >= from) fresh.push({ ...gap, from, to });
			if (!known || known.from > gap.to) break;
			from = known.to + 1;
		}
		for (const part of fresh) this.#insert(part, begin);
		return fresh.map((part) => ({ ...part }));
	}

	/** The gaps within [from, next), clipped to it. */
	within(from: number, next: number): Gap[] {
		const found: Gap[] = [];
		for (let at = this.#after(from); at < this.#gaps.length; at++) {
			const gap = this.#gaps[at]!;
			if (gap.from >= next) break;
			const { reason, firstAt, lastAt } = gap;
			if (reason === 'unwritten') continue;
			const times = { ...(firstAt !== undefined && { firstAt }), ...(lastAt !== undefined && { lastAt }) };
			found.push({ from: Math.max(gap.from, from), to: Math.min(gap.to, next - 1), reason, ...times });
		}
		return found;
	}

	/** Counts the records held and lost in [from, to). */
	count(from: number, to: number): RangeCount {
		const count: RangeCount = { records: Math.max(0, to - from), lost: {} };
		for (let at = this.#after(from); at < this.#gaps.length; at++) {
			const { from: first, to: last, reason } = this.#gaps[at]!;
			if (first >= to) break;
			const offsets = Math.min(last, to - 1) - Math.max(first, from) + 1;
			count.records -= offsets;
			if (reason !== 'unwritten' && isLoss(reason)) count.lost[reason] = (count.lost[reason] ?? 0) + offsets;
		}
		return count;
	}

	/** A copy of all gaps. */
	all(): KnownGap[] {
		return this.#gaps.map((gap) => ({ ...gap }));
	}

	/** Index of the first gap that ends at `offset` or later. */
	#after(offset: number): number {
		let low = 0;
		let high = this.#gaps.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (this.#gaps[middle]!.to < offset) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	#insert(gap: KnownGap, hint: number): void {
		let at = Math.max(0, hint - 1);
		while (at < this.#gaps.length && this.#gaps[at]!.from < gap.from) at++;
		const before = this.#gaps[at - 1];
		const after = this.#gaps[at];
		const joinsBefore = before?.reason === gap.reason && before.to + 1 === gap.from;
		const joinsAfter = after?.reason === gap.reason && gap.to + 1 === after.from;
		if (joinsBefore) spanTimes(before, gap);
		if (joinsAfter) spanTimes(after, gap);
		if (joinsBefore && joinsAfter) {
			spanTimes(before, after);
			before.to = after.to;
			this.#gaps.splice(at, 1);
		} else if (joinsBefore) before.to = gap.to;
		else if (joinsAfter) after.from = gap.from;
		else this.#gaps.splice(at, 0, gap);
		if (this.#gaps.length <= MAX_GAPS) return;
		// Merge the two oldest into one that covers both, with the graver reason: it may report too much, never too little.
		const [first, second] = this.#gaps.splice(0, 2) as [KnownGap, KnownGap];
		const reason = GRAVITY[first.reason] >= GRAVITY[second.reason] ? first.reason : second.reason;
		spanTimes(first, second);
		this.#gaps.unshift({ ...first, to: second.to, reason });
	}
}

/** Makes the times of `gap` cover those of another. */
function spanTimes(gap: KnownGap, other: KnownGap): void {
	if (other.firstAt !== undefined) gap.firstAt = Math.min(gap.firstAt ?? other.firstAt, other.firstAt);
	if (other.lastAt !== undefined) gap.lastAt = Math.max(gap.lastAt ?? other.lastAt, other.lastAt);
}
