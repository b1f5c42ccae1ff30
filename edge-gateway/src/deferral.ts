import { CrowdVisionError } from '@crowdvision/contracts';
import { LogFullError, LogWriteError } from '@crowdvision/log';

const RETRY_AFTER_SECONDS = 5;
const DISK_TROUBLE_SECONDS = 2;

/** What a sender is told when the log takes nothing for now: `log_full` or `unavailable`. Any other error is given back as it is. */
export function asDeferral(error: Error): Error {
	if (error instanceof LogFullError) {
		return new CrowdVisionError('log_full', `The gateway cannot take more for now: ${error.message}`, {}, RETRY_AFTER_SECONDS);
	}
	return error instanceof LogWriteError ? diskRefused(error) : error;
}

/** The disk did not take what must be durable before an answer: `unavailable`, and when to come again. */
export function diskRefused(error: unknown): CrowdVisionError {
	return new CrowdVisionError(
		'unavailable',
		`The gateway's disk refused the write (${(error as { code?: unknown }).code})`,
		{},
		DISK_TROUBLE_SECONDS,
	);
}
