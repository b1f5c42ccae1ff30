import type { SerialPort } from 'serialport';
import type { FloodGuard } from './flood-guard.ts';

const MAX_IN_FLIGHT = 256;

/**
 * Pauses reading from a port while too many of its frames are on their way to the disk, or while it floods. Unread
 * bytes wait in the kernel's buffer; once that is full, flow control stops the device, or without it bytes are lost
 * together with the frames they belong to.
 */
export class Inflow {
	readonly #port: SerialPort;
	readonly #guard: FloodGuard;
	readonly #holding = new Set<'disk' | 'flood'>();
	#inFlight = 0;

	constructor(port: SerialPort, guard: FloodGuard) {
		this.#port = port;
		this.#guard = guard;
	}

	/** Counts a frame as in flight until `work` settles. `work` must not reject. */
	begun(work: Promise<void>): void {
		if (++this.#inFlight > MAX_IN_FLIGHT) this.#hold('disk');
		void work.finally(() => {
			if (--this.#inFlight < MAX_IN_FLIGHT / 2) this.#release('disk');
		});
	}

	/** Counts what was read. True when this begins a pause because of a flood. */
	read(frames: number, bytes: number): boolean {
		const ms = this.#guard.spend(frames, bytes, performance.now());
		if (ms === 0 || this.#holding.has('flood')) return false;
		this.#hold('flood');
		setTimeout(() => this.#release('flood'), ms).unref();
		return true;
	}

	isFlooding(): boolean {
		return this.#guard.isFlooding(performance.now());
	}

	#hold(why: 'disk' | 'flood'): void {
		this.#holding.add(why);
		this.#port.pause();
	}

	#release(why: 'disk' | 'flood'): void {
		if (this.#holding.delete(why) && this.#holding.size === 0 && this.#port.isOpen) this.#port.resume();
	}
}
