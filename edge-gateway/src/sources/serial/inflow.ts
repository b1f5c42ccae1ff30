import type { SerialPort } from 'serialport';
import type { FloodGuard } from './flood-guard.ts';

const MOST_IN_FLIGHT = 256;

/**
 * How much is read of a port: nothing while too many frames are on their way to the disk, and no more a second than it
 * may bring. What is not read waits in the system's buffer; beyond that, flow control holds the device up, or bytes are
 * lost, which costs the frames they are of.
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

	/** A frame is being dealt with until `work` is settled; it must not reject. */
	begun(work: Promise<void>): void {
		if (++this.#inFlight > MOST_IN_FLIGHT) this.#hold('disk');
		void work.finally(() => {
			if (--this.#inFlight < MOST_IN_FLIGHT / 2) this.#release('disk');
		});
	}

	/** Counts what came in; true when a flood of it has just begun to be held up. */
	took(frames: number, bytes: number): boolean {
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
