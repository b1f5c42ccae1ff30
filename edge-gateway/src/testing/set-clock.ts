import type { Evidence, TimeSource } from '../clock/time-source.ts';

/** A machine whose wall clock can be set, and whose time can be moved on; the rest is as the real one goes. */
export class SetClock implements TimeSource {
	boot: string | undefined = 'first boot';
	said: Evidence = { kind: 'silent' };
	#monotonic = 1000;
	#offset: number;
	readonly #began: number | undefined;

	/** `runs`: time also passes by itself. */
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
		return this.said;
	}

	/** Sets the wall clock. */
	set(wall: number): void {
		this.#offset = wall - this.monotonic();
	}

	/** Sets it forward, or with a negative number back. */
	step(ms: number): void {
		this.#offset += ms;
	}

	/** Lets so much time pass. */
	pass(ms: number): void {
		this.#monotonic += ms;
	}

	/** The machine starts anew: the wall clock shows what its hardware says. */
	reboot(wall: number): void {
		this.boot = `${this.boot} and again`;
		this.#monotonic = 500;
		this.set(wall);
	}
}
