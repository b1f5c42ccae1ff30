import { CrowdVisionError } from '@crowdvision/contracts';
import { backOff, pause } from './back-off.ts';

const MOST_TRIES = 10;
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 500;

/**
 * Runs `task`, which reads documents, decides and commits; and from its beginning again whenever the commit is refused
 * with `conflict`, since somebody else changed a document meanwhile. `attempt` counts from 0. Refuse a caller outside
 * of the task: `conflict` is taken for the store's.
 * @throws CrowdVisionError `unavailable` after ten tries; else what the task throws.
 */
export async function anew<T>(task: (attempt: number) => Promise<T>): Promise<T> {
	for (let attempt = 0; ; attempt++) {
		try {
			return await task(attempt);
		} catch (error) {
			if (!(error instanceof CrowdVisionError && error.code === 'conflict')) throw error;
			if (attempt + 1 >= MOST_TRIES)
				throw new CrowdVisionError('unavailable', 'Others keep changing the same: try again', {}, 1);
			await pause(backOff(attempt, FIRST_PAUSE_MS, LONGEST_PAUSE_MS));
		}
	}
}
