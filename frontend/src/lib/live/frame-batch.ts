/** Calls `run` once, soon; returns a function that cancels the call. */
export type Schedule = (run: () => void) => () => void;

/** In a hidden tab there are no animation frames: apply after this time. */
const HIDDEN_MS = 500;
/** A tab that is hidden before its frame comes never gets that frame: apply after this time at the latest. */
const LATE_MS = 1000;

/** Runs at the next animation frame, or within a second while the tab is hidden. */
export const nextFrame: Schedule = (run) => {
	if (document.hidden) {
		const timer = setTimeout(run, HIDDEN_MS);
		return () => clearTimeout(timer);
	}
	const cancel = () => {
		cancelAnimationFrame(frame);
		clearTimeout(late);
	};
	const runOnce = () => {
		cancel();
		run();
	};
	const frame = requestAnimationFrame(runOnce);
	const late = setTimeout(runOnce, LATE_MS);
	return cancel;
};

/**
 * Collects items and passes them on in order, all at once, each time `schedule` runs. Bounded: when `max` items wait,
 * they are passed on immediately.
 */
export class FrameBatch<T> {
	#waiting: T[] = [];
	#cancel: (() => void) | undefined;
	readonly #apply: (items: T[]) => void;
	readonly #schedule: Schedule;
	readonly #max: number;

	constructor(apply: (items: T[]) => void, schedule: Schedule = nextFrame, max = 5000) {
		this.#apply = apply;
		this.#schedule = schedule;
		this.#max = max;
	}

	add(items: readonly T[]): void {
		for (const item of items) this.#waiting.push(item);
		if (this.#waiting.length >= this.#max) this.flush();
		else if (this.#waiting.length > 0) this.#cancel ??= this.#schedule(() => this.flush());
	}

	/** Passes on now what waits. */
	flush(): void {
		this.#cancel?.();
		this.#cancel = undefined;
		const items = this.#waiting;
		this.#waiting = [];
		if (items.length > 0) this.#apply(items);
	}

	/** Discards what waits. */
	drop(): void {
		this.#cancel?.();
		this.#cancel = undefined;
		this.#waiting = [];
	}
}
