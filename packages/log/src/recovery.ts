import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckpointFile } from './checkpoint-file.ts';
import { type DedupOptions, DedupWindow } from './dedup-window.ts';
import { keyAt, offsetAt, timeAt } from './record.ts';
import { listSegments, SEGMENT_HEADER, type Segment, walkRecords } from './segment.ts';
import { SnapshotFiles } from './snapshot-files.ts';

/** Offsets that are gone: `from` to `to`, both included. */
export interface Gap {
	from: number;
	to: number;
	/** `damaged`: found broken on disk. `dropped-oldest`, `expired`: given up by the policy or the age bound. */
	reason: 'damaged' | 'dropped-oldest' | 'expired';
}

/** What is kept beside the segments, and may be a second old after a crash. */
export interface LogMeta {
	id: string;
	/** Durable end at the time of writing. */
	end: number;
	logTime: number;
	/** True only while the log is closed in good order. */
	clean: boolean;
	cursors: Record<string, number>;
	/** Losses that the segments themselves do not show, for cursors that have still to pass them. */
	gaps: Gap[];
}

/** Something set aside or lost, in words for the log and the ledger. */
export interface Incident {
	what: 'torn-tail' | 'damaged-record' | 'damaged-tail' | 'damaged-header' | 'damaged-meta' | 'damaged-snapshot' | 'missing-records';
	file: string;
	bytes?: number;
	lost?: { from: number; to: number };
}

export interface Recovered {
	meta: LogMeta;
	segments: Segment[];
	nextOffset: number;
	/** Offset after the last record that is really there. */
	lastEnd: number;
	dedup: DedupWindow;
	snapshots: SnapshotFiles;
	incidents: Incident[];
}

/** A snapshot older than this many bytes of log is not waited for: a start reads back at most so much. */
export const REPLAY_BYTES = 64 * 1024 * 1024;
const MOST_DAMAGED_FILES = 100;

/**
 * Finds out what is there, in time that does not grow with the log: reads the headers, the last segment, and what was appended since
 * the last dedup snapshot. Older segments are checked when they are read.
 */
export function recover(dir: string, segmentBytes: number, metaFile: CheckpointFile<LogMeta>, dedupOptions: Partial<DedupOptions>): Recovered {
	mkdirSync(dir, { recursive: true, mode: 0o700 });
	const incidents: Incident[] = [];
	const { value: kept, damaged } = metaFile.read();
	if (damaged > 0 && !kept) incidents.push({ what: 'damaged-meta', file: join(dir, 'meta') });
	const segments = listSegments(dir);
	for (const segment of segments) if (!segment.header) incidents.push({ what: 'damaged-header', file: segment.path });
	const id = kept?.id ?? segments.find((segment) => segment.header)?.header?.logId ?? randomBytes(6).toString('hex');
	const meta: LogMeta = kept ?? { id, end: 0, logTime: segments.at(-1)?.header?.logTime ?? 0, clean: segments.length === 0, cursors: {}, gaps: [] };

	let lastEnd = segments.at(-1)?.firstOffset ?? 0;
	const last = segments.at(-1);
	if (last) lastEnd = recoverTail(dir, last, meta, incidents);

	const known = Math.max(lastEnd, meta.end, ...Object.values(meta.cursors));
	if (known > lastEnd && segments.length > 0) {
		const lost: Gap = { from: lastEnd, to: known - 1, reason: 'damaged' };
		incidents.push({ what: 'missing-records', file: last!.path, lost });
		meta.gaps.push(lost);
	}
	// After a crash, records may be missing that only a remote cursor knows of. Their offsets are never given out again.
	const mayBeMissing = meta.clean && known === lastEnd ? 0 : Math.ceil(segmentBytes / 64);
	const snapshots = new SnapshotFiles(dir);
	const dedup = recoverDedup(snapshots, segments, dedupOptions, incidents);
	return { meta, segments, nextOffset: known + mayBeMissing, lastEnd, dedup, snapshots, incidents };
}

function recoverTail(dir: string, last: Segment, meta: LogMeta, incidents: Incident[]): number {
	const bytes = readFileSync(last.path);
	const start = Math.min(SEGMENT_HEADER, bytes.length);
	let lastOffset = last.firstOffset - 1;
	const wholeEnd = walkRecords(
		bytes,
		start,
		(position) => {
			lastOffset = offsetAt(bytes, position);
		},
		({ position, length, before, torn }) => {
			if (before !== undefined) {
				if (before > lastOffset + 1)
					incidents.push({ what: 'damaged-record', file: last.path, bytes: length, lost: { from: lastOffset + 1, to: before - 1 } });
				return;
			}
			setAside(dir, `${last.firstOffset}-${position}.bin`, bytes.subarray(position));
			// A record that is all there but wrong was written whole, so it may have been acknowledged; one that breaks off was not.
			const lost = { from: lastOffset + 1, to: Math.max(lastOffset + 1, meta.end - 1) };
			if (torn && meta.end <= lastOffset + 1) incidents.push({ what: 'torn-tail', file: last.path, bytes: length });
			else {
				incidents.push({ what: 'damaged-tail', file: last.path, bytes: length, lost });
				if (meta.end <= lastOffset + 1) meta.gaps.push({ ...lost, reason: 'damaged' });
			}
		},
	);
	last.size = wholeEnd;
	if (wholeEnd < bytes.length) truncateSync(last.path, wholeEnd);
	return lastOffset + 1;
}

/** Keeps what recovery cuts off, for whoever wants to look; bounded, the oldest go first. */
function setAside(dir: string, name: string, bytes: Buffer): void {
	const folder = join(dir, 'damaged');
	mkdirSync(folder, { recursive: true, mode: 0o700 });
	const names = readdirSync(folder).sort();
	for (const old of names.slice(0, Math.max(0, names.length + 1 - MOST_DAMAGED_FILES))) rmSync(join(folder, old), { force: true });
	writeFileSync(join(folder, name), bytes, { mode: 0o600 });
}

function recoverDedup(snapshots: SnapshotFiles, segments: Segment[], options: Partial<DedupOptions>, incidents: Incident[]): DedupWindow {
	const kept = snapshots.load(options, (file) => incidents.push({ what: 'damaged-snapshot', file }));
	const { window, from } = kept ?? { window: new DedupWindow(options), from: 0 };
	let budget = REPLAY_BYTES;
	let first = segments.length;
	while (first > 0 && budget > 0) {
		const segment = segments[first - 1]!;
		const next = segments[first];
		if (next && next.firstOffset <= from) break;
		budget -= segment.size;
		first--;
	}
	let seconds = latestSecond(window);
	let previous: number | undefined;
	for (const segment of segments.slice(first)) {
		const bytes = readFileSync(segment.path).subarray(0, segment.size);
		const onRecord = (position: number) => {
			const at = timeAt(bytes, position);
			const step = previous === undefined ? 0 : (at - previous) / 1000;
			previous = at;
			// A step backwards or by more than the window is a clock that was set, or a pause: it ages nothing.
			if (step > 0 && step < (options.maxAgeSeconds ?? 600)) seconds += step;
			const key = offsetAt(bytes, position) >= from ? keyAt(bytes, position) : undefined;
			if (key) window.remember(key, Math.floor(seconds));
		};
		walkRecords(bytes, SEGMENT_HEADER, onRecord, () => undefined);
	}
	return window;
}

/** The newest time in a window; time in it never falls. */
export function latestSecond(window: DedupWindow): number {
	let latest = 0;
	for (const { count, entry } of window.export()) if (count > 0) latest = Math.max(latest, entry(count - 1)[2]);
	return latest;
}
