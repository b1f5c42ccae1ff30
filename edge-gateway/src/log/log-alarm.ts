import type { LogStats } from '@crowdvision/log';
import type { Logger } from '@crowdvision/service-kit';

/** What the log says of how full it is. */
export type Fullness = Pick<LogStats, 'heldBytes' | 'maxBytes' | 'hoursToFull'>;
type Level = 'well' | 'soon' | 'now';

const SOON_HOURS = 24;
const SOON_SHARE = 0.7;
const NOW_HOURS = 1;
const NOW_SHARE = 0.95;
/** It must get so much better before it is said to be over, or a forecast that wavers would be told again and again. */
const BETTER = 1.2;
const CHECK_EVERY_MS = 10_000;

/**
 * Says in the gateway's own log, once, that the telemetry log will be full: a day before, an hour before, and when that
 * is over.
 */
export class LogAlarm {
	readonly #fullness: () => Fullness;
	readonly #logger: Logger;
	#level: Level = 'well';
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
		const isLower = level === 'well' || (level === 'soon' && this.#level === 'now');
		if (
			isLower &&
			levelOf({ heldBytes: heldBytes * BETTER, maxBytes, hoursToFull: hoursToFull / BETTER }) === this.#level
		)
			return;
		this.#level = level;
		const details = { heldBytes: Math.round(heldBytes), maxBytes, hoursToFull: Number(hoursToFull.toFixed(1)) };
		if (level === 'well') this.#logger.info(details, 'log: no longer about to be full');
		else if (level === 'soon') this.#logger.warn(details, 'log: will be full within a day if nothing reads it');
		else this.#logger.error(details, 'log: is full, or will be within the hour');
	}
}

function levelOf({ heldBytes, maxBytes, hoursToFull }: Fullness): Level {
	if (hoursToFull <= NOW_HOURS || heldBytes >= maxBytes * NOW_SHARE) return 'now';
	return hoursToFull <= SOON_HOURS || heldBytes >= maxBytes * SOON_SHARE ? 'soon' : 'well';
}
