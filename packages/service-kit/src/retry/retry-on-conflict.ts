import { CrowdVisionError } from '@crowdvision/contracts';
import { keepTrying } from './keep-trying.ts';

const MAX_TRIES = 10;

const isConflict = (error: unknown) => error instanceof CrowdVisionError && error.code === 'conflict';

/**
 * Runs `task`, which reads documents, decides and commits, and runs it again from the beginning each time the commit is
 * refused with `conflict` because another writer changed a document meanwhile. `attempt` counts from 0. A `conflict`
 * that is meant for the caller must be thrown outside the task: inside it would be retried.
 * @throws CrowdVisionError `unavailable` after ten tries; otherwise what the task throws.
 */
export async function retryOnConflict<T>(task: (attempt: number) => Promise<T>): Promise<T> {
	try {
		return await keepTrying(task, {
			what: 'committing a change',
			firstMs: 5,
			longestMs: 500,
			maxTries: MAX_TRIES,
			retryIf: isConflict,
		});
	} catch (error) {
		if (!isConflict(error)) throw error;
		throw new CrowdVisionError('unavailable', 'Others keep changing the same data: try again', {}, 1);
	}
}
