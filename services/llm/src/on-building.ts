import { type BuildingDirectory, type Logger, SerialQueue } from '@crowdvision/service-kit';
import type { Knowledge } from './knowledge/knowledge.ts';

/** Buildings waiting to be forgotten. */
const MAX_WAITING = 10_000;

/**
 * Forgets buildings that were removed. What could not be forgotten now is not shown either, and is forgotten at the
 * next start. Call it before the directory follows the bus.
 */
export function followBuildings(directory: BuildingDirectory, knowledge: Knowledge, logger: Logger): void {
	const queue = new SerialQueue(MAX_WAITING);
	directory.onChange((buildingId) => {
		queue
			.run(() => knowledge.forget(buildingId))
			.catch((error: unknown) => logger.warn({ err: error, buildingId }, 'a removed building could not be forgotten'));
	});
}
