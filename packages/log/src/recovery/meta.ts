import type { KnownGap } from '../cursor/gaps.ts';

/** The state stored beside the segments. After a crash it may be a second old. */
export interface LogMeta {
	id: string;
	/** Everything before this offset was dropped on purpose. */
	start: number;
	/** The offset after the last durable record. */
	end: number;
	/** No offset from here on was assigned. */
	next: number;
	/** Seconds the log has been open, over all its runs. */
	logTime: number;
	/** True only while the log is closed after a clean stop. */
	clean: boolean;
	cursors: Record<string, number>;
	/** Gaps that some reader may still have to pass. */
	gaps: readonly KnownGap[];
}

/** Checks the shape, since a valid checksum does not tell what wrote the file. */
export function isMeta(value: unknown): value is LogMeta {
	if (typeof value !== 'object' || value === null) return false;
	const { id, start, end, next, logTime, clean, cursors, gaps } = value as Record<string, unknown>;
	return (
		typeof id === 'string' &&
		[start, end, next].every(isOffset) &&
		typeof logTime === 'number' &&
		typeof clean === 'boolean' &&
		typeof cursors === 'object' &&
		cursors !== null &&
		Object.values(cursors).every(isOffset) &&
		Array.isArray(gaps) &&
		gaps.every(isGap)
	);
}

function isOffset(value: unknown): value is number {
	return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isGap(value: unknown): value is KnownGap {
	if (typeof value !== 'object' || value === null) return false;
	const { from, to, reason } = value as Record<string, unknown>;
	return isOffset(from) && isOffset(to) && typeof reason === 'string';
}
