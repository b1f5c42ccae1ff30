import type { StreamName } from '@crowdvision/contracts';
import type { Log } from '@crowdvision/log';
import type { DeadLetter } from '../bus.ts';

/** A dead letter as it is stored. */
type Filed = DeadLetter & { stream: StreamName };

const MAX_IN_MEMORY = 1000;

/** Entries that consumers could not handle: kept in a log if one is given (its bounds apply), else the last 1000. */
export class EmbeddedDeadLetters {
	readonly #log: Log | undefined;
	#inMemory: Filed[] = [];

	constructor(log: Log | undefined) {
		this.#log = log;
	}

	/** Resolves when it is on disk. */
	async add(stream: StreamName, letter: DeadLetter): Promise<void> {
		const filed: Filed = { stream, ...letter };
		if (this.#log) await this.#log.append([{ payload: JSON.stringify(filed) }]);
		else this.#inMemory = [...this.#inMemory.slice(1 - MAX_IN_MEMORY), filed];
	}

	/** Newest first. Reads all of them: dead letters are few, or something is very wrong. */
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
			yield* this.#inMemory;
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
