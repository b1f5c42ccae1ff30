import { CrowdVisionError } from '@crowdvision/contracts';
import { LogFullError, LogWriteError } from '@crowdvision/log';
import type { Completion } from '../frame.ts';
import { type Account, count } from '../ledger/tally.ts';
import type { Applied } from '../occupancy/occupancy.ts';

/** Told of readings that cannot be taken for now. */
export type OnDeferred = (why: CrowdVisionError, readings: number) => void;

export const NOT_TOLD: OnDeferred = () => undefined;
const RETRY_AFTER_SECONDS = 5;
const DISK_TROUBLE_SECONDS = 2;

/**
 * What is done when the log has answered. A function of its own, so that what waits for the disk holds on to this and
 * not to the frame: with thousands under way, that is what the garbage collector has to carry.
 */
export function completion(
	account: Account,
	{ taken, duplicates, restarts }: { taken: number; duplicates: number; restarts: number },
	applied: Applied[],
	onDurable: Completion,
	onDeferred: OnDeferred,
): (error?: Error, dropped?: boolean) => void {
	const changes = applied.length > 0 ? applied : undefined;
	account.pending += taken + duplicates;
	return (error, dropped) => {
		account.pending -= taken + duplicates;
		if (error) {
			if (changes) for (const change of changes) change.undo();
			account.deferred += taken + duplicates;
			const deferral = asDeferral(error);
			if (deferral instanceof CrowdVisionError) onDeferred(deferral, taken + duplicates);
			onDurable(deferral, 0);
			return;
		}
		if (changes) for (const change of changes) change.stored();
		// By drop-newest: its sender is told that all is well, as it could do nothing about it.
		if (dropped) count(account.dropped, 'dropped-newest', taken);
		else account.accepted += taken;
		account.duplicates += duplicates;
		account.restarts += restarts;
		onDurable(undefined, taken + duplicates);
	};
}

function asDeferral(error: Error): Error {
	if (error instanceof LogFullError)
		return new CrowdVisionError(
			'log_full',
			`The gateway cannot take more for now: ${error.message}`,
			{},
			RETRY_AFTER_SECONDS,
		);
	if (error instanceof LogWriteError)
		return new CrowdVisionError(
			'unavailable',
			`The gateway's disk refused the write (${error.code})`,
			{},
			DISK_TROUBLE_SECONDS,
		);
	return error;
}
