/** Calls `run` once, soon; returns what takes it back. */
export type Schedule = (run: () => void) => () => void;

/** At the next animation frame; in a hidden tab, where there are none, within a second. */
const nextFrame: Schedule = (run) => {
	if (document.hidden) {
		const timer = setTimeout(run, 500);
		return () => clearTimeout(timer);
	}
	let late: ReturnType<typeof setTimeout> | undefined;
	const done = () => {
		cancelAnimationFrame(frame);
		clearTimeout(late);
		run();
	};
	const frame = requestAnimationFrame(done);
	// A tab hidden before its frame came never gets it.
	late = setTimeout(done, 1000);
	return () => {
		cancelAnimationFrame(frame);
		clearTimeout(late);
	};
};

/**
 * Gathers items and hands them on once per `schedule`, in order. Bounded: at `most` waiting items they are handed on at
 * once.
 * `drop` forgets what waits.
 */
export class FrameBatch<T> {
	#waiting: T[] = [];
	#cancel: (() => void) | undefined;
	readonly #apply: (items: T[]) => void;
	readonly #schedule: Schedule;
	readonly #most: number;

	constructor(apply: (items: T[]) => void, schedule: Schedule = nextFrame, most = 5000) {
		this.#apply = apply;
		this.#schedule = schedule;
		this.#most = most;
	}

	add(items: readonly T[]): void {
		for (const item of items) this.#waiting.push(item);
		if (this.#waiting.length >= this.#most) this.flush();
		else if (this.#waiting.length > 0) this.#cancel ??= this.#schedule(() => this.flush());
	}

	flush(): void {
		this.#cancel?.();
		this.#cancel = undefined;
		const items = this.#waiting;
		this.#waiting = [];
		if (items.length > 0) this.#apply(items);
	}

	drop(): void {
		this.#cancel?.();
		this.#cancel = undefined;
		this.#waiting = [];
	}
}
