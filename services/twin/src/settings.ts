import { integer } from '@crowdvision/service-kit';
import type { ReadingRetention } from '@crowdvision/store';

const DAY_MS = 24 * 3600_000;

/** Settings of twin, beside those that every process has. */
export const TWIN_SETTINGS = {
	HISTORY_DAYS: integer('how many days every single reading is kept', '90', 1, 3650),
	ROLL_UP_DAYS: integer('how many days quarter-hours of history are kept', '1825', 1, 36_500),
};

export function retentionOf({
	HISTORY_DAYS,
	ROLL_UP_DAYS,
}: {
	HISTORY_DAYS: number;
	ROLL_UP_DAYS: number;
}): ReadingRetention {
	return { readingsMs: HISTORY_DAYS * DAY_MS, rollUpsMs: Math.max(ROLL_UP_DAYS, HISTORY_DAYS) * DAY_MS };
}
