import { parentPort } from 'node:worker_threads';
import { writeAtomicallySync } from '@crowdvision/service-kit/files';
import { encodedBound, encodeRecord, keyAt, recordAt, secondsAt } from '../segment/record.ts';
import { salvageSync } from '../segment/salvage.ts';
import { encodeSegmentHeader, SEGMENT_HEADER, type SegmentHeader, walkRecords } from '../segment/segment.ts';
import type { Thin } from './policy.ts';

export interface ThinRequest {
	/** The present segment: `size` bytes, with records before offset `end`. */
	file: string;
	size: number;
	end: number;
	header: SegmentHeader;
	/** Path of the segment that replaces it. */
	target: string;
}

export interface ThinAnswer {
	/** Size of the new file in bytes, and number of records dropped. */
	thinned?: { size: number; dropped: number };
	/** Why the segment was left as it is. */
	skipped?: string;
}

interface Found {
	position: number;
	length: number;
}

/** A rewrite that saves less than this share is not worth a write. */
const MIN_SAVING = 0.1;

/**
 * Runs in a worker thread: thins segments by the policy `thin`, so that neither sockets nor commits wait for it.
 * Answers each request once.
 */
export function thinSegments(thin: Thin): void {
	const port = parentPort!;
	port.on('message', (request: ThinRequest) => {
		let answer: ThinAnswer;
		try {
			answer = rewrite(request, thin);
		} catch (error) {
			answer = { skipped: (error as Error).message };
		}
		port.postMessage(answer);
	});
}

function rewrite({ file, size, end, header, target }: ThinRequest, thin: Thin): ThinAnswer {
	const bytes = salvageSync(file).subarray(0, size);
	const found: Found[] = [];
	let damaged = false;
	const whole = walkRecords(
		bytes,
		SEGMENT_HEADER,
		header.firstOffset - 1,
		(position, offset) => {
			if (offset < end) found.push({ position, length: bytes.readUInt32LE(position + 8) });
		},
		() => {
			damaged = true;
		},
	);
	// Offsets missing for another reason would pass for thinned ones.
	if (damaged || whole < size || found.length === 0) return { skipped: 'it is damaged' };
	const records = found.map(({ position, length }) => recordAt(bytes, position, length));
	const verdicts = thin(records.map(({ payload }) => payload));
	if (verdicts.length !== records.length || verdicts.at(-1) === 'drop')
		return { skipped: 'the policy did not keep the last record' };

	const remaining = verdicts.flatMap((verdict, index) =>
		verdict === 'drop' ? [] : [{ verdict, record: records[index]!, ...found[index]! }],
	);
	const dropped = records.length - remaining.length;
	const bound = remaining.reduce(
		(sum, { verdict, position, length }) =>
			sum + (verdict === 'keep' ? length : encodedBound(verdict.payload, keyAt(bytes, position))),
		SEGMENT_HEADER,
	);
	const rewritten = Buffer.allocUnsafe(bound);
	let at = encodeSegmentHeader({ ...header, thinned: header.thinned + dropped }).copy(rewritten);
	for (const { verdict, record, position, length } of remaining) {
		if (verdict === 'keep') at += bytes.copy(rewritten, at, position, position + length);
		else
			at = encodeRecord(
				rewritten,
				at,
				record.offset,
				record.at,
				secondsAt(bytes, position),
				verdict.payload,
				keyAt(bytes, position),
			);
	}
	if (at > size * (1 - MIN_SAVING)) return { skipped: 'there is little to leave out' };
	// The file gets its name only when it is complete on disk: after a crash there is the old one or the new one.
	writeAtomicallySync(target, rewritten.subarray(0, at), { syncFolder: true });
	return { thinned: { size: at, dropped } };
}
