import type { Segments } from './segments.ts';

interface Waiter {
	offset: number;
	wake: () => void;
}

/** The offset up to which readers see records, and those who wait until it moves on. */
export class VisibleEnd {
	readonly #segments: Segments;
	/** Readers see nothing from this offset on. */
	#heldFrom: number;
	readonly #waiting = new Set<Waiter>();

	constructor(segments: Segments, heldFrom = Number.POSITIVE_INFINITY) {
		this.#segments = segments;
		this.#heldFrom = heldFrom;
	}

	get heldFrom(): number {
		return this.#heldFrom;
	}

	/** The offset after the last record that is durable and visible. */
	get end(): number {
		return Math.min(this.#segments.end, Math.max(this.#heldFrom, this.#segments.start));
	}

	/** Hides records from `offset` on. */
	holdFrom(offset: number): void {
		this.#heldFrom = offset;
	}

	/** Shows all records again. */
	release(): void {
		this.#heldFrom = Number.POSITIVE_INFINITY;
		this.moved();
	}

	/** Resolves when a record at `offset` or later is visible, or `signal` aborts, or `wakeAll` is called. */
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

	/** Call it when the end may have moved on. */
	moved(): void {
		const { end } = this;
		for (const { offset, wake } of this.#waiting) if (end > offset) wake();
	}

	wakeAll(): void {
		for (const { wake } of this.#waiting) wake();
	}
}
