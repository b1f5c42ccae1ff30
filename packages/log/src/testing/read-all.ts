import type { Log } from '../log.ts';
import type { Gap } from '../types.ts';

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
		if (next <= all.next) throw new Error(`a read from ${all.next} did not get on, with the end at ${log.endOffset}`);
		for (const { offset, payload } of records) all.records.push({ offset, text: payload.toString() });
		all.gaps.push(...gaps);
		all.next = next;
	}
	return all;
}

/** The offsets that gaps cover, as a test for one of them. */
export function covers(gaps: readonly { from: number; to: number }[]): (offset: number) => boolean {
	return (offset) => gaps.some(({ from, to }) => from <= offset && offset <= to);
}
