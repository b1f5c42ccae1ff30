import { type DedupOptions, DedupWindow } from '../dedup/dedup-window.ts';
import type { SnapshotFiles } from '../dedup/snapshot-files.ts';
import { keyAt, SECONDS_WRAP, secondsAt } from '../segment/record.ts';
import { salvageSync } from '../segment/salvage.ts';
import { recordsStart, type Segment, walkRecords } from '../segment/segment.ts';
import type { Incident } from '../types.ts';

/**
 * A start reads back at most so many bytes of records: more than lies between a snapshot and the one after the next.
 */
const REPLAY_BYTES = 96 * 1024 * 1024;
/** A step that would go nearly once around is one backwards, which does not happen. */
const LARGEST_STEP = SECONDS_WRAP - 3600;
/** Records may be so much newer than what else says the time. */
const LATER_SECONDS = 60;

/** The window as it was: the newest snapshot, and the keys of the records behind it. */
export function recoverDedup(
	snapshots: SnapshotFiles,
	segments: readonly Segment[],
	end: number,
	logTime: number,
	options: Partial<DedupOptions>,
	incidents: Incident[],
): { window: DedupWindow; seconds: number; snapshotOffset: number } {
	let damaged = 0;
	const kept = snapshots.load(options, (file) => {
		damaged++;
		incidents.push({ what: 'damaged-snapshot', file });
	});
	const window = kept?.window ?? new DedupWindow(options);
	const from = kept?.offset ?? 0;

	let budget = REPLAY_BYTES;
	let first = segments.length;
	while (first > 0 && budget > 0 && (segments[first]?.previousEnd ?? end) > from) {
		first--;
		budget -= segments[first]!.size;
	}
	if (!kept && first > 0 && damaged === 0)
		incidents.push({ what: 'damaged-snapshot', file: segments[first - 1]!.path });

	// The time in a record is told from its low bits, forwards from the snapshot or, without one, as the last such time
	// before what is known.
	let seconds = kept && Math.floor(kept.seconds);
	const latest =
		Math.floor(segments.slice(first).find(({ header }) => header)?.header?.logTime ?? logTime) + LATER_SECONDS;
	const secondsOf = (low: number) => {
		if (seconds === undefined) return Math.max(0, latest - modulo(latest - low));
		const step = modulo(low - seconds);
		return step > LARGEST_STEP ? seconds : seconds + step;
	};

	for (const [index, segment] of segments.entries()) {
		if (index < first) continue;
		const until = segments[index + 1]?.previousEnd ?? end;
		const bytes = salvageSync(segment.path).subarray(0, segment.size);
		const onRecord = (position: number, offset: number) => {
			if (offset < from || offset >= until) return;
			const key = keyAt(bytes, position);
			if (!key) return;
			seconds = secondsOf(secondsAt(bytes, position));
			window.remember(key, seconds);
			window.confirm(1);
		};
		walkRecords(
			bytes,
			Math.min(recordsStart(segment), bytes.length),
			segment.firstOffset - 1,
			onRecord,
			() => undefined,
		);
	}
	return { window, seconds: seconds ?? 0, snapshotOffset: kept?.offset ?? 0 };
}

function modulo(seconds: number): number {
	return ((seconds % SECONDS_WRAP) + SECONDS_WRAP) % SECONDS_WRAP;
}
