import type { Gap } from './types.ts';

const MOST = 1000;
const GRAVITY: Record<Gap['reason'], number> = { damaged: 3, 'dropped-oldest': 2, 'dropped-newest': 2, expired: 2, consumed: 1 };

/** What is known to be gone: sorted, without overlap, and bounded. */
export class Gaps {
	#gaps: Gap[];

	constructor(gaps: readonly Gap[] = []) {
		this.#gaps = [];
		for (const gap of gaps) this.add(gap);
	}

	/** Takes a gap in, and returns those parts of it that were not known yet. */
	add(gap: Gap): Gap[] {
		const fresh: Gap[] = [];
		let from = gap.from;
		let at = this.#after(from);
		const begin = at;
		for (; from <= gap.to; at++) {
			const known = this.#gaps[at];
			const to = known && known.from <= gap.to ? known.from - 1 : gap.to;
			if (to >= from) fresh.push({ from, to, reason: gap.reason });
			if (!known || known.from > gap.to) break;
			from = known.to + 1;
		}
		for (const part of fresh) this.#insert(part, begin);
		return fresh.map((part) => ({ ...part }));
	}

	/** What of it lies in [from, next), cut to that. */
	within(from: number, next: number): Gap[] {
		const found: Gap[] = [];
		for (let at = this.#after(from); at < this.#gaps.length; at++) {
			const gap = this.#gaps[at]!;
			if (gap.from >= next) break;
			found.push({ from: Math.max(gap.from, from), to: Math.min(gap.to, next - 1), reason: gap.reason });
		}
		return found;
	}

	/** All of them, as they are now. */
	all(): Gap[] {
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

	#insert(gap: Gap, hint: number): void {
		let at = Math.max(0, hint - 1);
		while (at < this.#gaps.length && this.#gaps[at]!.from < gap.from) at++;
		const before = this.#gaps[at - 1];
		const after = this.#gaps[at];
		const joinsBefore = before?.reason === gap.reason && before.to + 1 === gap.from;
		const joinsAfter = after?.reason === gap.reason && gap.to + 1 === after.from;
		if (joinsBefore && joinsAfter) {
			before.to = after.to;
			this.#gaps.splice(at, 1);
		} else if (joinsBefore) before.to = gap.to;
		else if (joinsAfter) after.from = gap.from;
		else this.#gaps.splice(at, 0, gap);
		if (this.#gaps.length <= MOST) return;
		// The two oldest become one that covers both, under the graver name: rather told too much than not told.
		const [first, second] = this.#gaps.splice(0, 2) as [Gap, Gap];
		const reason = GRAVITY[first.reason] >= GRAVITY[second.reason] ? first.reason : second.reason;
		this.#gaps.unshift({ from: first.from, to: second.to, reason });
	}
}
