import type { Alert } from '@crowdvision/contracts';
import { type BuildingDirectory, backOff, type Logger, pause } from '@crowdvision/service-kit';
import type { Turns } from './turns.ts';
import type { Watchman } from './watchman.ts';

/** Has the watchman look again at each building that appears or changes. One review a building waits at most; `stop` ends it. */
export function reviewChangedBuildings(
	directory: BuildingDirectory,
	{ watchman, turns, logger, onAlerts }: { watchman: Watchman; turns: Turns; logger: Logger; onAlerts: (alerts: Alert[]) => void },
): { stop(): Promise<void> } {
	const stopped = new AbortController();
	const changed = new Set<string>();
	let running: Promise<void> | undefined;

	const reviewAll = async () => {
		for (let failures = 0; changed.size > 0 && !stopped.signal.aborted; ) {
			const [buildingId] = changed as Set<string> & Iterable<string>;
			changed.delete(buildingId!);
			try {
				onAlerts(await turns.take(() => watchman.review(buildingId!, Date.now())));
				failures = 0;
			} catch (error) {
				changed.add(buildingId!);
				if (failures === 0) logger.warn({ err: error, buildingId }, 'a changed building could not be looked at: trying on');
				await pause(backOff(failures++, 100, 5000), stopped.signal);
			}
		}
	};

	directory.onChange((buildingId) => {
		changed.add(buildingId);
		running ??= reviewAll().finally(() => {
			running = undefined;
		});
	});
	return {
		stop: async () => {
			stopped.abort();
			await running;
		},
	};
}
