import type { LogRecord } from '../segment/record.ts';
import type { Gap } from './gaps.ts';

type Place = Pick<LogRecord, 'offset' | 'at'>;

/**
 * The exact gaps between records that were read, in order: the parts of known gaps without a record (several gaps may
 * have been merged, with the records between them), and the thinned ranges. A gap without times of its own gets those
 * of the records around it.
 */
export function exactGaps(
	known: readonly Gap[],
	thinned: readonly { from: number; to: number }[],
	records: readonly Place[],
): Gap[] {
	if (known.length === 0 && thinned.length === 0) return [];
	const gaps: Gap[] = thinned
		.flatMap((range) => without(range, known))
		.map((range): Gap => ({ ...range, reason: 'thinned' }));
	for (const gap of known) {
		let { from } = gap;
		for (let at = firstFrom(records, from); at < records.length && records[at]!.offset <= gap.to; at++) {
			const { offset } = records[at]!;
			if (offset > from) gaps.push({ ...gap, from, to: offset - 1 });
			from = offset + 1;
		}
		if (from <= gap.to) gaps.push({ ...gap, from });
	}
	for (const gap of gaps) {
		const after = firstFrom(records, gap.to);
		gap.firstAt ??= records[after - 1]?.at;
		gap.lastAt ??= records[after]?.at;
		if (gap.firstAt === undefined) delete gap.firstAt;
		if (gap.lastAt === undefined) delete gap.lastAt;
	}
	return gaps.sort((a, b) => a.from - b.from);
}

/** The parts of a range that are in none of these gaps, which are in order. */
function without(range: { from: number; to: number }, known: readonly Gap[]): { from: number; to: number }[] {
	const left: { from: number; to: number }[] = [];
	let { from } = range;
	for (const gap of known) {
		if (gap.to < from || gap.from > range.to) continue;
		if (gap.from > from) left.push({ from, to: gap.from - 1 });
		from = gap.to + 1;
	}
	if (from <= range.to) left.push({ from, to: range.to });
	return left;
}

/** Index of the first record at `offset` or later. */
function firstFrom(records: readonly Place[], offset: number): number {
	let low = 0;
	let high = records.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (records[middle]!.offset < offset) low = middle + 1;
		else high = middle;
	}
	return low;
}
