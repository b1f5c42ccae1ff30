import type { SnapshotFiles } from '../dedup/snapshot-files.ts';
import { type DedupOptions, DedupWindow } from '../dedup/window.ts';
import { keyAt, SECONDS_WRAP, secondsAt } from '../segment/record.ts';
import { salvageSync } from '../segment/salvage.ts';
import { recordsStart, type Segment, walkRecords } from '../segment/segment.ts';
import type { Incident } from './incident.ts';

/** How many bytes of records a start reads back at most: more than between a snapshot and the one after the next. */
const REPLAY_BYTES = 96 * 1024 * 1024;
/** A step of nearly a full wrap would be a step back, which does not happen. */
const LARGEST_STEP = SECONDS_WRAP - 3600;
/** How much newer than the other sources of log time a record may be. */
const LATER_SECONDS = 60;

/** Rebuilds the dedup window from the newest snapshot and the keys of the records after it. */
export function recoverDedup(
	snapshots: SnapshotFiles,
	segments: readonly Segment[],
	end: number,
	logTime: number,
	options: Partial<DedupOptions>,
	incidents: Incident[],
): { window: DedupWindow; seconds: number; snapshotOffset: number } {
	let damaged = 0;
	const loaded = snapshots.load(options, (file) => {
		damaged++;
		incidents.push({ what: 'damaged-snapshot', file });
	});
	const window = loaded?.window ?? new DedupWindow(options);
	const from = loaded?.offset ?? 0;

	let budget = REPLAY_BYTES;
	let first = segments.length;
	while (first > 0 && budget > 0 && (segments[first]?.previousEnd ?? end) > from) {
		first--;
		budget -= segments[first]!.size;
	}
	if (!loaded && first > 0 && damaged === 0)
		incidents.push({ what: 'damaged-snapshot', file: segments[first - 1]!.path });

	// A record holds the low bits of its log time. They are completed forwards from the snapshot or, without one, to the
	// last such time before the known log time.
	let seconds = loaded && Math.floor(loaded.seconds);
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
	return { window, seconds: seconds ?? 0, snapshotOffset: loaded?.offset ?? 0 };
}

function modulo(seconds: number): number {
	return ((seconds % SECONDS_WRAP) + SECONDS_WRAP) % SECONDS_WRAP;
}
