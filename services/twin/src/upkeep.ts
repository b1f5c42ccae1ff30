import { backOff, type Logger, pause } from '@crowdvision/service-kit';
import type { Readings } from '@crowdvision/store';
import type { Buildings } from './buildings/buildings.ts';
import { rollUpStale } from './history/roll-up.ts';
import type { OfflineDevices } from './state/offline-devices.ts';

const LOOK_EVERY_MS = 20_000;
const FORGET_EVERY_MS = 3600_000;
/**
 * A period is rolled up so long after its end: most of what comes late is in by then, and it need not be done twice.
 */
const GRACE_MS = 60_000;
const BATCH = 100;

export interface UpkeepParts {
	readings: Readings;
	buildings: Buildings;
	offline: OfflineDevices;
	logger: Logger;
}

/**
 * Keeps the store small and quick: rolls up quarter-hours that have ended, forgets what is too old, ends removals that
 * were cut short.
 */
export class Upkeep {
	readonly #parts: UpkeepParts;
	readonly #stopped = new AbortController();
	readonly #running: Promise<void>;
	#forgetAt = 0;

	/** Works until `stop`. */
	static start(parts: UpkeepParts): Upkeep {
		return new Upkeep(parts);
	}

	private constructor(parts: UpkeepParts) {
		this.#parts = parts;
		this.#running = this.#run();
	}

	async stop(): Promise<void> {
		this.#stopped.abort();
		await this.#running;
	}

	async #run(): Promise<void> {
		const { signal } = this.#stopped;
		for (let failures = 0; !signal.aborted; ) {
			try {
				const more = await this.#once(Date.now());
				failures = 0;
				if (!more) await pause(LOOK_EVERY_MS, signal);
			} catch (error) {
				if (failures === 0) this.#parts.logger.warn({ err: error }, 'the history could not be rolled up: trying on');
				await pause(backOff(failures++, 1000, 60_000), signal);
			}
		}
	}

	/** Resolves with whether there is more to roll up. */
	async #once(now: number): Promise<boolean> {
		const { readings, buildings, offline } = this.#parts;
		const done = await rollUpStale(readings, now - GRACE_MS, BATCH, this.#stopped.signal);
		if (now >= this.#forgetAt) {
			await buildings.finishRemovals();
			await readings.forget(now);
			await offline.forget(now);
			this.#forgetAt = now + FORGET_EVERY_MS;
		}
		return done === BATCH;
	}
}
