import { FIRST_SEQ } from './reading.ts';

/** Counts how often each reading was received, with one byte per reading. */
export class ReceivedReadings {
	readonly #sensors: Uint8Array[] = [];
	#received = 0;

	/** Readings received, duplicates included. */
	get received(): number {
		return this.#received;
	}

	add(sensor: number, seq: number): void {
		const index = seq - FIRST_SEQ;
		let counts = this.#sensors[sensor] ?? new Uint8Array(1 << 16);
		if (index >= counts.length) {
			const larger = new Uint8Array(Math.max(counts.length * 2, index + 1));
			larger.set(counts);
			counts = larger;
		}
		this.#sensors[sensor] = counts;
		if (counts[index]! < 255) counts[index]!++;
		this.#received++;
	}

	/**
	 * How many of the first `sent` readings of a sensor are missing, leaving out those in `except`, and how many were
	 * received again.
	 */
	compare(sensor: number, sent: number, except: ReadonlySet<number>): { missing: number; duplicates: number } {
		const counts = this.#sensors[sensor] ?? new Uint8Array(0);
		let missing = 0;
		let duplicates = 0;
		for (let index = 0; index < sent; index++) {
			const count = counts[index] ?? 0;
			if (count === 0 && !except.has(index + FIRST_SEQ)) missing++;
			if (count > 1) duplicates += count - 1;
		}
		return { missing, duplicates };
	}
}
