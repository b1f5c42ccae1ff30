import type { StreamName } from '@crowdvision/contracts';
import type { Log } from '@crowdvision/log';
import type { DeadLetter } from '../bus.ts';

type Filed = DeadLetter & { stream: StreamName };

const KEPT_IN_MEMORY = 1000;

/**
 * What consumers could not handle: in a log where one is given (its own bounds apply), else the last thousand in
 * memory.
 */
export class EmbeddedDeadLetters {
	readonly #log: Log | undefined;
	#kept: Filed[] = [];

	constructor(log: Log | undefined) {
		this.#log = log;
	}

	/** Resolves when it is on disk. */
	async add(stream: StreamName, letter: DeadLetter): Promise<void> {
		const filed: Filed = { stream, ...letter };
		if (this.#log) await this.#log.append([{ payload: JSON.stringify(filed) }]);
		else this.#kept = [...this.#kept.slice(1 - KEPT_IN_MEMORY), filed];
	}

	/** Newest first. Reads all of them: there are few, or something is very wrong. */
	async list(stream: StreamName, limit: number): Promise<DeadLetter[]> {
		let found: DeadLetter[] = [];
		for await (const { stream: filedUnder, ...letter } of this.#all()) {
			if (filedUnder !== stream) continue;
			found.push(letter);
			if (found.length >= 2 * limit) found = found.slice(-limit);
		}
		return found.slice(-limit).reverse();
	}

	async *#all(): AsyncGenerator<Filed> {
		if (!this.#log) {
			yield* this.#kept;
			return;
		}
		for (let from = this.#log.startOffset; ; ) {
			const { records, next } = await this.#log.read(from);
			for (const { payload } of records) yield JSON.parse(payload.toString()) as Filed;
			if (next <= from) return;
			from = next;
		}
	}
}
