import type { KnownGap } from '../cursor/gaps.ts';

/** What is kept beside the segments, and may be a second old after a crash. */
export interface LogMeta {
	id: string;
	/** Everything before it was given up on purpose. */
	start: number;
	/** Durable end. */
	end: number;
	/** No offset from here on was given out. */
	next: number;
	/** Seconds the log was open, over all its runs. */
	logTime: number;
	/** True only while the log is closed in good order. */
	clean: boolean;
	cursors: Record<string, number>;
	/** What is not there, for those who have still to pass it. */
	gaps: readonly KnownGap[];
}

/** True for what `LogMeta` says; a checksum alone does not tell who wrote it. */
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
