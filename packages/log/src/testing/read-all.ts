import type { Gap } from '../cursor/gaps.ts';
import type { Log } from '../log.ts';

export interface Everything {
	records: { offset: number; text: string }[];
	gaps: Gap[];
	next: number;
}

/** Reads from `from` to the end, a few records at a time. */
export async function readAll(log: Log, from = 0, maxRecords = 1000): Promise<Everything> {
	const all: Everything = { records: [], gaps: [], next: from };
	while (all.next < log.endOffset) {
		const { records, gaps, next } = await log.read(all.next, { maxRecords });
		if (next <= all.next) throw new Error(`a read from ${all.next} made no progress, with the end at ${log.endOffset}`);
		for (const { offset, payload } of records) all.records.push({ offset, text: payload.toString() });
		all.gaps.push(...gaps);
		all.next = next;
	}
	return all;
}

/** Returns a function that tells whether an offset is in one of the gaps. */
export function covers(gaps: readonly { from: number; to: number }[]): (offset: number) => boolean {
	return (offset) => gaps.some(({ from, to }) => from <= offset && offset <= to);
}
