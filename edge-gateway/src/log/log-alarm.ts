/** Warns in the log of the process before the telemetry log is full. */
import type { LogStats } from '@crowdvision/log';
import type { Logger } from '@crowdvision/service-kit';

/** How full the log is. */
export type Fullness = Pick<LogStats, 'heldBytes' | 'maxBytes' | 'hoursToFull'>;
type Level = 'none' | 'day' | 'hour';

/** When the alarm is raised: by the forecast, or by the share of the log that is unread. */
const DAY = { hours: 24, share: 0.7 };
const HOUR = { hours: 1, share: 0.95 };
/**
 * Hysteresis: by this factor it must improve before the alarm ends, so that a wavering forecast is not logged
 * repeatedly.
 */
const IMPROVEMENT = 1.2;
const CHECK_EVERY_MS = 10_000;

/**
 * Writes to the gateway's own log that the telemetry log will be full: once a day before, once an hour before, and once
 * when that is over. A log that is 70 % or 95 % full of unread readings counts as that.
 */
export class LogAlarm {
	readonly #fullness: () => Fullness;
	readonly #logger: Logger;
	#level: Level = 'none';
	#timer: NodeJS.Timeout | undefined;

	constructor(fullness: () => Fullness, logger: Logger) {
		this.#fullness = fullness;
		this.#logger = logger;
	}

	start(): void {
		this.#timer = setInterval(() => this.check(), CHECK_EVERY_MS).unref();
	}

	stop(): void {
		clearInterval(this.#timer);
	}

	check(): void {
		const fullness = this.#fullness();
		const level = levelOf(fullness);
		if (level === this.#level) return;
		const { heldBytes, maxBytes, hoursToFull } = fullness;
		const isLower = level === 'none' || (level === 'day' && this.#level === 'hour');
		if (
			isLower &&
			levelOf({ heldBytes: heldBytes * IMPROVEMENT, maxBytes, hoursToFull: hoursToFull / IMPROVEMENT }) === this.#level
		)
			return;
		this.#level = level;
		const details = { heldBytes: Math.round(heldBytes), maxBytes, hoursToFull: Number(hoursToFull.toFixed(1)) };
		if (level === 'none') this.#logger.info(details, 'log: no longer about to be full');
		else if (level === 'day') this.#logger.warn(details, 'log: will be full within a day unless its consumers read on');
		else this.#logger.error(details, 'log: is full, or will be within an hour');
	}
}

function levelOf({ heldBytes, maxBytes, hoursToFull }: Fullness): Level {
	if (hoursToFull <= HOUR.hours || heldBytes >= maxBytes * HOUR.share) return 'hour';
	return hoursToFull <= DAY.hours || heldBytes >= maxBytes * DAY.share ? 'day' : 'none';
}
