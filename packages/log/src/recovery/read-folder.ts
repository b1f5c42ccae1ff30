import { existsSync, readFileSync } from 'node:fs';
import { Gaps } from '../cursor/gaps.ts';
import { type LogRecord, lookAtRecord, recordAt } from '../segment/record.ts';
import { listSegments, recordsStart, walkRecords } from '../segment/segment.ts';
import { parseCheckpoint } from './checkpoint-file.ts';
import { isMeta, type LogMeta } from './meta.ts';

/** A log as its folder says, without opening it. */
export interface LogFolder {
	id: string | undefined;
	/** Where the cursors stood at the last write, a second old at most. */
	cursors: Record<string, number>;
	/** Why there is no record at an offset, as far as that is known. */
	missing(offset: number): string | undefined;
	/** Whole records, the newest first; damage is passed over. */
	newestFirst(): Generator<LogRecord>;
}

/**
 * Reads a log's folder and changes nothing in it: for who wants to look while no process, or another one, has it open.
 */
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
					const look = lookAtRecord(bytes, position);
					if (look.kind === 'whole') yield recordAt(bytes, position, look.length);
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
