interface Waiter {
	offset: number;
	wake: () => void;
}

/** Those who wait for a record that is not there yet. */
export class Waiters {
	readonly #waiting = new Set<Waiter>();

	/** Resolves when the log reaches beyond `offset`, or `signal` aborts, or `wakeAll`. */
	wait(offset: number, signal?: AbortSignal): Promise<void> {
		return new Promise((resolve) => {
			const waiter = {
				offset,
				wake: () => {
					this.#waiting.delete(waiter);
					signal?.removeEventListener('abort', waiter.wake);
					resolve();
				},
			};
			this.#waiting.add(waiter);
			signal?.addEventListener('abort', waiter.wake, { once: true });
		});
	}

	/** The log now ends at `end`. */
	reached(end: number): void {
		for (const { offset, wake } of this.#waiting) if (end > offset) wake();
	}

	wakeAll(): void {
		for (const { wake } of this.#waiting) wake();
	}
}
