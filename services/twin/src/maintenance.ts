import type { MetricLookup } from '@crowdvision/contracts';
import { keepRunning, type Logger, pause } from '@crowdvision/service-kit';
import type { Readings, RoomMetric } from '@crowdvision/store';
import { combineIn } from './buildings/building-document.ts';
import type { Buildings } from './buildings/buildings.ts';
import { rollUpStale } from './history/roll-up.ts';
import type { OfflineDevices } from './state/offline-devices.ts';

const EVERY_MS = 20_000;
const REMOVE_EVERY_MS = 3600_000;
/** How long after its end a period is rolled up: late readings have mostly arrived then, and it is done once. */
const GRACE_MS = 60_000;
const BATCH = 100;

export interface MaintenanceParts {
	readings: Readings;
	buildings: Buildings;
	offline: OfflineDevices;
	catalog: MetricLookup;
	/** Epoch ms, by the clock that readings are judged by. */
	now: () => number;
	logger: Logger;
}

/**
 * Keeps the store small and fast: rolls up quarter-hours that have ended every 20 s, and every hour removes what is
 * past its retention and completes interrupted removals of buildings.
 */
export function startMaintenance({ readings, buildings, offline, catalog, now: clock, logger }: MaintenanceParts): {
	stop(): Promise<void>;
} {
	const stopped = new AbortController();
	const { signal } = stopped;
	let removeAt = 0;
	const combineOf = async ({ buildingId, roomId }: RoomMetric) =>
		combineIn((await buildings.all([buildingId])).get(buildingId), roomId);
	const step = async () => {
		const now = clock();
		await buildings.finishRecombined();
		const count = await rollUpStale(readings, now - GRACE_MS, BATCH, catalog, { signal, combineOf });
		if (now >= removeAt) {
			await buildings.finishRemovals();
			await readings.forget(now);
			await offline.removeOld(now);
			removeAt = now + REMOVE_EVERY_MS;
		}
		if (count < BATCH) await pause(EVERY_MS, signal);
	};
	const running = keepRunning(step, {
		what: 'maintaining the history',
		signal,
		logger,
		firstMs: 1000,
		longestMs: 60_000,
	});
	return {
		stop: () => {
			stopped.abort();
			return running;
		},
	};
}
