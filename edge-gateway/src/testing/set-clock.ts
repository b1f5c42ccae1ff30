import type { Evidence, TimeSource } from '../clock/time-source.ts';

/** The clocks of a machine on which tests set the wall clock, let time pass and restart the machine. */
export class SetClock implements TimeSource {
	boot: string | undefined = 'first boot';
	reported: Evidence = { kind: 'silent' };
	#monotonic = 1000;
	#offset: number;
	readonly #began: number | undefined;

	/** `runs`: real time passes as well. */
	constructor(wall: number, { runs = false } = {}) {
		this.#began = runs ? performance.now() : undefined;
		this.#offset = wall - this.monotonic();
	}

	monotonic(): number {
		return this.#monotonic + (this.#began === undefined ? 0 : performance.now() - this.#began);
	}

	wall(): number {
		return Math.floor(this.#offset + this.monotonic());
	}

	evidence(): Evidence {
		return this.reported;
	}

	/** Sets the wall clock. */
	set(wall: number): void {
		this.#offset = wall - this.monotonic();
	}

	/** Sets the wall clock forward, or back with a negative number. */
	step(ms: number): void {
		this.#offset += ms;
	}

	/** Lets time pass. */
	pass(ms: number): void {
		this.#monotonic += ms;
	}

	/** Restarts the machine; its wall clock then shows `wall`. */
	reboot(wall: number): void {
		this.boot = `${this.boot}, restarted`;
		this.#monotonic = 500;
		this.set(wall);
	}
}
