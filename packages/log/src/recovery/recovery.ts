/** Finds the state of a log when it is opened, whatever ended the process before. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { makeFolder, syncPath } from '@crowdvision/service-kit/files';
import { PROBE_FILE } from '../commit/disk-probe.ts';
import { Gaps } from '../cursor/gaps.ts';
import type { DedupSnapshot } from '../dedup/snapshot.ts';
import { SnapshotFiles } from '../dedup/snapshot-files.ts';
import type { DedupOptions, DedupWindow } from '../dedup/window.ts';
import { listSegments, type Segment } from '../segment/segment.ts';
import type { CheckpointFile } from './checkpoint-file.ts';
import type { Incident } from './incident.ts';
import { isMeta, type LogMeta } from './meta.ts';
import { recoverDedup } from './recover-dedup.ts';
import { recoverTail } from './recover-tail.ts';
import { removeFile, removeObstacles } from './set-aside.ts';

export interface Recovered {
	id: string;
	segments: Segment[];
	/** The offset after the last record found. */
	end: number;
	nextOffset: number;
	/** Seconds the log has been open so far; never less than the log time in any record. */
	logTime: number;
	cursors: Record<string, number>;
	gaps: Gaps;
	dedup: DedupWindow;
	snapshots: SnapshotFiles;
	incidents: Incident[];
}

/**
 * Offsets skipped after a crash: records may be gone that nothing here knows of but a consumer elsewhere has seen. More
 * than can be written between two writes of the meta file.
 */
const SKIPPED_AFTER_CRASH = 2 ** 20;

/**
 * Determines the state of a log in a time that does not grow with the log: reads the headers, the last segment, and the
 * records since the last dedup snapshot. Older segments are checked when they are read. Damage never makes it throw.
 *
 * What was found is on disk when it returns: a process that was killed between a write and its sync leaves records that
 * only the system's cache holds, and from now on their redelivery is acknowledged.
 * @throws the disk's error if that cannot be had
 */
export function recover(
	dir: string,
	metaFile: CheckpointFile<LogMeta>,
	dedupOptions: Partial<DedupOptions>,
): Recovered {
	makeFolder(dir);
	const incidents: Incident[] = removeObstacles(dir).map((file) => ({ what: 'obstacle', file }));
	const meta = readMeta(metaFile);
	const { segments, superseded } = listSegments(dir);
	for (const path of [...superseded, join(dir, PROBE_FILE)]) removeFile(path);
	const snapshots = new SnapshotFiles(dir);
	if (!meta && (segments.length > 0 || !snapshots.empty)) incidents.push({ what: 'damaged-meta', file: dir });
	const id = meta?.id ?? segments.find(({ header }) => header)?.header?.logId ?? randomBytes(6).toString('hex');
	const gaps = new Gaps(meta?.gaps);
	const lose = (incident: Incident, from: number, to: number) => {
		for (const lost of gaps.add({ from, to, reason: 'damaged' }))
			incidents.push({ ...incident, lost: { from: lost.from, to: lost.to } });
	};

	const assigned = Math.max(0, ...segments.map(({ firstOffset }) => firstOffset));
	const start = meta?.start ?? segments[0]?.previousEnd ?? 0;
	const tail = recoverTail(dir, segments, start);
	const { end } = tail;
	const dropped = takeDropped(segments, meta?.start ?? 0);
	for (const { path, header } of segments) if (!header) incidents.push({ what: 'damaged-header', file: path });
	incidents.push(...tail.incidents);

	const logTime = Math.max(meta?.logTime ?? 0, ...segments.map(({ header }) => header?.logTime ?? 0));
	const {
		window: dedup,
		seconds,
		snapshotOffset,
	} = recoverDedup(snapshots, [...dropped, ...segments], end, logTime, dedupOptions, incidents);
	finishRemovals(dropped, segments[0]?.previousEnd ?? end, snapshots, { window: dedup, offset: end, seconds }, dir);
	const last = segments.at(-1);
	if (last) syncPath(last.path);
	syncPath(dir);

	// Lost are the offsets between the intended start and the first segment, and between the last record found and the
	// end that is known to have existed.
	const first = segments[0]?.previousEnd ?? end;
	if (!meta && first > 0) gaps.add({ from: 0, to: first - 1, reason: 'consumed' });
	lose({ what: 'missing-records', file: dir }, start, first - 1);
	for (const { from, to, file } of tail.inside) lose({ what: 'damaged-record', file }, from, to);
	const closedCleanly = meta?.clean === true && end <= meta.end;
	const maybe = closedCleanly ? 0 : tail.mayHaveHeld;
	const known = Math.max(
		end,
		tail.knownEnd,
		maybe,
		meta?.end ?? 0,
		snapshotOffset,
		...Object.values(meta?.cursors ?? {}),
	);
	lose({ what: 'missing-records', file: dir }, end, known - 1);

	const isNew = !meta && segments.length === 0 && snapshotOffset === 0;
	const next = Math.max(known, assigned, meta?.next ?? 0);
	const nextOffset = closedCleanly || isNew ? next : next + SKIPPED_AFTER_CRASH;
	gaps.add({ from: known, to: nextOffset - 1, reason: 'unwritten' });
	return {
		id,
		segments,
		end,
		nextOffset,
		logTime: Math.max(logTime, seconds),
		cursors: meta?.cursors ?? {},
		gaps,
		dedup,
		snapshots,
		incidents,
	};
}

function readMeta(metaFile: CheckpointFile<LogMeta>): LogMeta | undefined {
	const { value } = metaFile.read();
	return isMeta(value) ? value : undefined;
}

/**
 * Takes from the list the segments that were dropped before the crash, and whose files are still there. `start` is
 * always where a segment begins, so that it holds even where the first kept segment is damaged or gone.
 */
function takeDropped(segments: Segment[], start: number): Segment[] {
	const kept = segments.findIndex(({ firstOffset }) => firstOffset >= start);
	return segments.splice(0, kept === -1 ? segments.length : kept);
}

/**
 * Removes the files of segments that were dropped before the crash. A power cut may have spared the record that they
 * are dropped and not the snapshot with their keys, so there is one before they go; else they stay until the next
 * start.
 */
function finishRemovals(
	dropped: readonly Segment[],
	droppedEnd: number,
	snapshots: SnapshotFiles,
	state: DedupSnapshot,
	dir: string,
): void {
	if (dropped.length === 0) return;
	try {
		if (snapshots.newest < droppedEnd) {
			snapshots.saveSync(state);
			syncPath(dir);
		}
	} catch {
		return;
	}
	for (const { path } of dropped) removeFile(path);
}
