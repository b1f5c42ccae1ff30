/** Lets at most so many do something at once; the others wait in the order they came. */
export class Slots {
	#free: number;
	readonly #waiting = new Set<() => void>();

	constructor(count: number) {
		this.#free = count;
	}

	/** Resolves with what gives the slot back; rejects when `signal` aborts first. */
	async take(signal: AbortSignal): Promise<() => void> {
		signal.throwIfAborted();
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

	#turn(signal: AbortSignal): Promise<void> {
		return new Promise((resolve, reject) => {
			const proceed = () => {
				settle();
				resolve();
			};
			const giveUp = () => {
				settle();
				reject(signal.reason);
			};
			const settle = () => {
				this.#waiting.delete(proceed);
				signal.removeEventListener('abort', giveUp);
			};
			this.#waiting.add(proceed);
			signal.addEventListener('abort', giveUp, { once: true });
		});
	}
}
