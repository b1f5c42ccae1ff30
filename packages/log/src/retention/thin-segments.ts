import { closeSync, fdatasyncSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { encodedBound, encodeRecord, keyAt, recordAt, secondsAt } from '../segment/record.ts';
import { salvageSync } from '../segment/salvage.ts';
import { encodeSegmentHeader, SEGMENT_HEADER, type SegmentHeader, walkRecords } from '../segment/segment.ts';
import type { Thin } from '../types.ts';

export interface ThinRequest {
	/** The segment as it is: `size` bytes, and records before offset `end`. */
	file: string;
	size: number;
	end: number;
	header: SegmentHeader;
	/** What takes its place. */
	target: string;
}

export interface ThinAnswer {
	/** Bytes of the new file, and how many records it has fewer. */
	thinned?: { size: number; dropped: number };
	/** Why it was left as it is. */
	spared?: string;
}

interface Found {
	position: number;
	length: number;
}

/** Less than this share saved is not worth a write. */
const WORTH_WHILE = 0.1;

/**
 * What a thread that thins segments does, so that neither the sockets nor the commits wait for it: each request is
 * answered once.
 */
export function thinSegments(thin: Thin): void {
	const port = parentPort!;
	port.on('message', (request: ThinRequest) => {
		let answer: ThinAnswer;
		try {
			answer = rewrite(request, thin);
		} catch (error) {
			answer = { spared: (error as Error).message };
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
	// What is missing in it for another reason would be taken for thinned.
	if (damaged || whole < size || found.length === 0) return { spared: 'it is damaged' };
	const records = found.map(({ position, length }) => recordAt(bytes, position, length));
	const verdicts = thin(records.map(({ payload }) => payload));
	if (verdicts.length !== records.length || verdicts.at(-1) === 'drop')
		return { spared: 'the policy did not keep the last record' };

	const kept = verdicts.flatMap((verdict, index) =>
		verdict === 'drop' ? [] : [{ verdict, record: records[index]!, ...found[index]! }],
	);
	const dropped = records.length - kept.length;
	const bound = kept.reduce(
		(sum, { verdict, position, length }) =>
			sum + (verdict === 'keep' ? length : encodedBound(verdict.payload, keyAt(bytes, position))),
		SEGMENT_HEADER,
	);
	const rewritten = Buffer.allocUnsafe(bound);
	let at = encodeSegmentHeader({ ...header, thinned: header.thinned + dropped }).copy(rewritten);
	for (const { verdict, record, position, length } of kept) {
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
	if (at > size * (1 - WORTH_WHILE)) return { spared: 'there is little to leave out' };
	write(target, rewritten.subarray(0, at));
	return { thinned: { size: at, dropped } };
}

/**
 * Under its own name only once it is whole on the disk: there is the old one or the new one, whatever happens in
 * between.
 */
function write(target: string, bytes: Buffer): void {
	const unfinished = `${target}.tmp`;
	try {
		const fd = openSync(unfinished, 'w', 0o600);
		try {
			for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
			fdatasyncSync(fd);
		} finally {
			closeSync(fd);
		}
		renameSync(unfinished, target);
	} catch (error) {
		rmSync(unfinished, { force: true });
		throw error;
	}
	const folder = openSync(dirname(target), 'r');
	try {
		fsyncSync(folder);
	} finally {
		closeSync(folder);
	}
}
