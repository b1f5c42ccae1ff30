/** What happens when the log has stored or refused readings: counts, room counts, and the answer to the sender. */
import { CrowdVisionError } from '@crowdvision/contracts';
import { LogFullError, LogWriteError } from '@crowdvision/log';
import type { Completion } from '../frame.ts';
import { count, type Tally } from '../ledger/tally.ts';
import type { Applied } from '../occupancy/occupancy.ts';

/** Called for readings that cannot be taken now and must come again. */
export type OnDeferred = (why: CrowdVisionError, readings: number) => void;

export const NOT_REPORTED: OnDeferred = () => undefined;
/** When to come again after a refusal by a full log, or by the disk. */
const FULL_RETRY_SECONDS = 5;
const DISK_RETRY_SECONDS = 2;

/**
 * Counts readings as pending; returns what to call when the log has answered. A function of its own, so that what waits
 * for the disk refers to these few values and not to the frame: with thousands under way, the garbage collector would
 * have to carry the frames.
 */
export function completion(
	tally: Tally,
	{ taken, duplicates, restarts }: { taken: number; duplicates: number; restarts: number },
	applied: Applied[],
	onDurable: Completion,
	onDeferred: OnDeferred,
): (error?: Error, dropped?: boolean) => void {
	const changes = applied.length > 0 ? applied : undefined;
	tally.pending += taken + duplicates;
	return (error, dropped) => {
		tally.pending -= taken + duplicates;
		if (error) {
			if (changes) for (const change of changes) change.undo();
			tally.deferred += taken + duplicates;
			const deferral = asDeferral(error);
			if (deferral instanceof CrowdVisionError) onDeferred(deferral, taken + duplicates);
			onDurable(deferral, 0);
			return;
		}
		if (changes) for (const change of changes) change.stored();
		// By the policy drop-newest. The sender is acknowledged, as it could do nothing about it.
		if (dropped) count(tally.dropped, 'dropped-newest', taken);
		else tally.accepted += taken;
		tally.duplicates += duplicates;
		tally.restarts += restarts;
		onDurable(undefined, taken + duplicates);
	};
}

/** The log's error as what a sender is told: `log_full` or `unavailable`, with the seconds after which to try again. */
function asDeferral(error: Error): Error {
	if (error instanceof LogFullError)
		return new CrowdVisionError(
			'log_full',
			`The gateway cannot take more for now: ${error.message}`,
			{},
			FULL_RETRY_SECONDS,
		);
	if (error instanceof LogWriteError)
		return new CrowdVisionError(
			'unavailable',
			`The gateway's disk refused the write (${error.code})`,
			{},
			DISK_RETRY_SECONDS,
		);
	return error;
}
