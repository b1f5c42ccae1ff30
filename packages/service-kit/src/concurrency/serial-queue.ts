import { CrowdVisionError } from '@crowdvision/contracts';

/** Runs tasks one after the other, in the order they were added. At most `maxWaiting` may be unfinished at once. */
export class SerialQueue {
	readonly #maxWaiting: number;
	#last: Promise<unknown> = Promise.resolve();
	#waiting = 0;

	constructor(maxWaiting: number) {
		this.#maxWaiting = maxWaiting;
	}

	/**
	 * Settles as the task does; a task that fails does not keep the next ones from running.
	 * @throws CrowdVisionError `unavailable` when the queue is full.
	 */
	async run<T>(task: () => Promise<T>): Promise<T> {
		if (this.#waiting >= this.#maxWaiting)
			throw new CrowdVisionError('unavailable', 'Too many changes are waiting: try again', {}, 1);
		this.#waiting++;
		const outcome = this.#last.then(task);
		this.#last = outcome.catch(() => {});
		try {
			return await outcome;
		} finally {
			this.#waiting--;
		}
	}
}
