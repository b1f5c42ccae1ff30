import { integer, readSettings } from '@crowdvision/service-kit';
import type { ReadingRetention } from '@crowdvision/store';

const DAY_MS = 24 * 3600_000;

/** The settings of twin, beside those that every process has. */
export const TWIN_SETTINGS = {
	HISTORY_DAYS: integer('days for which every reading is stored', '90', 1, 3650),
	ROLL_UP_DAYS: integer('days for which history is stored in quarter-hours', '1825', 1, 36_500),
};

type TwinSettings = ReturnType<typeof readSettings<typeof TWIN_SETTINGS>>;

/** Roll-ups are stored at least as long as readings. */
export function retentionOf({ HISTORY_DAYS, ROLL_UP_DAYS }: TwinSettings): ReadingRetention {
	return { readingsMs: HISTORY_DAYS * DAY_MS, rollUpsMs: Math.max(ROLL_UP_DAYS, HISTORY_DAYS) * DAY_MS };
}

/** The retention where no setting changes it. */
export const DEFAULT_RETENTION = retentionOf(readSettings(TWIN_SETTINGS, {}));
