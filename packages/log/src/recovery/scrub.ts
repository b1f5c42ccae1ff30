import type { ReadLimits } from '../segment/reader.ts';

const LIMITS: ReadLimits = { maxRecords: 2000, maxBytes: 512 * 1024, held: true };
const PAUSE_MS = 20;

/**
 * Reads once from `from` to `until`, slowly, so that damage there is reported before a consumer runs into it. Ends
 * early when a read fails or `signal` aborts; never rejects.
 */
export async function scrub(
	read: (from: number, limits: ReadLimits) => Promise<{ next: number }>,
	from: number,
	until: number,
	signal: AbortSignal,
): Promise<void> {
	try {
		for (let position = from; position < until && !signal.aborted; ) {
			const { next } = await read(position, LIMITS);
			if (next <= position) return;
			position = next;
			await new Promise((resolve) => setTimeout(resolve, PAUSE_MS).unref());
		}
	} catch {
		// The log was closed, or too many files are open: a consumer that reads there will get the error.
	}
}
