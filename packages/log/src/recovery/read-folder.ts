import { existsSync, readFileSync } from 'node:fs';
import { Gaps } from '../cursor/gaps.ts';
import { inspectRecord, type LogRecord, recordAt } from '../segment/record.ts';
import { listSegments, recordsStart, walkRecords } from '../segment/segment.ts';
import { parseCheckpoint } from './checkpoint-file.ts';
import { isMeta, type LogMeta } from './meta.ts';

/** A log as read from its folder, without opening it. */
export interface LogFolder {
	id: string | undefined;
	/** The cursors as last written; while the log is open they may be some seconds old. */
	cursors: Record<string, number>;
	/** Why the record at an offset is gone, as far as known. */
	missing(offset: number): string | undefined;
	/** Intact records, newest first; damage is skipped. */
	newestFirst(): Generator<LogRecord>;
}

/** Reads a log's folder without changing it, whether or not a process has the log open. */
export function readLogFolder(dir: string): LogFolder {
	const metas = ['a', 'b'].flatMap((name) => parseCheckpoint<LogMeta>(textOf(`${dir}/meta.${name}`)) ?? []);
	const meta = metas.filter(({ value }) => isMeta(value)).sort((a, b) => b.serial - a.serial)[0]?.value;
	const gaps = new Gaps(meta?.gaps);
	const segments = existsSync(dir) ? listSegments(dir).segments : [];
	return {
		id: meta?.id ?? segments.find(({ header }) => header)?.header?.logId,
		cursors: meta?.cursors ?? {},
		missing: (offset) => gaps.within(offset, offset + 1)[0]?.reason,
		*newestFirst() {
			for (const segment of segments.toReversed()) {
				const bytes = readFileSync(segment.path);
				const positions: number[] = [];
				walkRecords(
					bytes,
					Math.min(recordsStart(segment), bytes.length),
					segment.firstOffset - 1,
					(position) => positions.push(position),
					() => undefined,
				);
				for (const position of positions.reverse()) {
					const found = inspectRecord(bytes, position);
					if (found.kind === 'whole') yield recordAt(bytes, position, found.length);
				}
			}
		},
	};
}

function textOf(path: string): string {
	try {
		return readFileSync(path, 'utf8');
	} catch {
		return '';
	}
}
