import { CrowdVisionError } from '@crowdvision/contracts';

const MOST_WAITING = 1000;

/** Runs tasks one after the other: who reads, decides and writes must not be overtaken in between. */
export class Turns {
	#last: Promise<unknown> = Promise.resolve();
	#waiting = 0;

	/** @throws CrowdVisionError `unavailable` when too many wait; else what the task throws. */
	async take<T>(task: () => Promise<T>): Promise<T> {
		if (this.#waiting >= MOST_WAITING) throw new CrowdVisionError('unavailable', 'Too much is waiting for its turn', {}, 1);
		this.#waiting++;
		const mine = this.#last.then(task).finally(() => {
			this.#waiting--;
		});
		this.#last = mine.catch(() => {});
		return mine;
	}
}
