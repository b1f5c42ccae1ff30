import { CrowdVisionError } from '@crowdvision/contracts';

/** One task after the other, in the order they were given. Refuses with `unavailable` when `most` are waiting. */
export class Turns {
	readonly #most: number;
	#last: Promise<unknown> = Promise.resolve();
	#waiting = 0;

	constructor(most: number) {
		this.#most = most;
	}

	async take<T>(task: () => Promise<T>): Promise<T> {
		if (this.#waiting >= this.#most)
			throw new CrowdVisionError('unavailable', 'The store has too much to do just now', {}, 1);
		this.#waiting++;
		const turn = this.#last.then(task);
		this.#last = turn.catch(() => {});
		try {
			return await turn;
		} finally {
			this.#waiting--;
		}
	}
}
