/** Lets at most `count` holders proceed at once; the others wait in the order they came. */
export class Semaphore {
	#free: number;
	readonly #waiting = new Set<() => void>();

	constructor(count: number) {
		this.#free = count;
	}

	/**
	 * Resolves with the function that releases the place again. Rejects with the signal's reason when it aborts first.
	 */
	async acquire(signal?: AbortSignal): Promise<() => void> {
		signal?.throwIfAborted();
		if (this.#free > 0) this.#free--;
		else await this.#turn(signal);
		let released = false;
		return () => {
			if (released) return;
			released = true;
			const [next] = this.#waiting;
			if (next) next();
			else this.#free++;
		};
	}

	#turn(signal: AbortSignal | undefined): Promise<void> {
		return new Promise((resolve, reject) => {
			const settle = (finish: () => void) => {
				this.#waiting.delete(proceed);
				signal?.removeEventListener('abort', giveUp);
				finish();
			};
			const proceed = () => settle(resolve);
			const giveUp = () => settle(() => reject(signal?.reason));
			this.#waiting.add(proceed);
			signal?.addEventListener('abort', giveUp, { once: true });
		});
	}
}
