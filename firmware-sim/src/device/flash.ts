import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SimLogger } from '../logger.ts';

const SAVE_AFTER_MS = 1_000;

/**
 * The flash memory of the door counters, as a file: per counter the people entered minus the people left, as far as the
 * gateway has acknowledged them. With it a restarted counter continues instead of reporting everybody as entering
 * again.
 */
export class Flash {
	readonly #file: string;
	readonly #logger: SimLogger;
	readonly #counts: Record<string, number>;
	#timer: NodeJS.Timeout | undefined;
	#saving: Promise<void> = Promise.resolve();

	constructor(file: string, logger: SimLogger) {
		this.#file = file;
		this.#logger = logger;
		this.#counts = load(file);
	}

	/** By sensor id. */
	get counts(): Readonly<Record<string, number>> {
		return this.#counts;
	}

	add(sensorId: string, people: number): void {
		this.#counts[sensorId] = Math.max(0, (this.#counts[sensorId] ?? 0) + people);
		this.#timer ??= setTimeout(() => this.save(), SAVE_AFTER_MS);
	}

	/** Resolves when the file holds the current counts. If it cannot be written, that is logged. */
	save(): Promise<void> {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#saving = this.#saving.then(() => this.#write());
		return this.#saving;
	}

	async #write(): Promise<void> {
		try {
			await mkdir(dirname(this.#file), { recursive: true });
			await writeFile(`${this.#file}.new`, JSON.stringify(this.#counts));
			await rename(`${this.#file}.new`, this.#file);
		} catch (error) {
			this.#logger.warn(
				{ file: this.#file, reason: (error as Error).message },
				'the counts of the door counters could not be saved',
			);
		}
	}
}

/** The counts in the file; empty if the file is absent or damaged. */
function load(file: string): Record<string, number> {
	try {
		const entries = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as object);
		return Object.fromEntries(entries.filter(([, people]) => Number.isSafeInteger(people) && people >= 0));
	} catch {
		return {};
	}
}
