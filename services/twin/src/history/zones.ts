import { offsetAt } from '@crowdvision/contracts';

const DAY_MS = 24 * 3600_000;

/** A stretch of time with one UTC offset, in epoch ms; `to` is not included. */
export interface Stretch {
	from: number;
	to: number;
	/** Local time minus UTC, in ms. */
	offset: number;
}

/**
 * Splits a range where the UTC offset of a zone changes. Of two changes within 24 hours, at most one is found.
 */
export function stretchesOf(zone: string, from: number, to: number): Stretch[] {
	const stretches: Stretch[] = [];
	let stretch: Stretch = { from, to, offset: offsetAt(zone, from) };
	for (let at = from; at < to; at += DAY_MS) {
		const next = Math.min(at + DAY_MS, to);
		const offset = offsetAt(zone, next);
		if (offset === stretch.offset) continue;
		const change = changeIn(zone, at, next, offset);
		stretches.push({ ...stretch, to: change });
		stretch = { from: change, to, offset };
	}
	if (stretch.from < to) stretches.push(stretch);
	return stretches;
}

/** The first moment with this offset, by bisection; it applies at `to` and not at `from`. */
function changeIn(zone: string, from: number, to: number, offset: number): number {
	let before = from;
	let after = to;
	while (after - before > 1) {
		const middle = Math.floor((before + after) / 2);
		if (offsetAt(zone, middle) === offset) after = middle;
		else before = middle;
	}
	return after;
}
