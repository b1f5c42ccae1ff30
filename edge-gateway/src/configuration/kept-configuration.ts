import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { CheckpointFile } from '@crowdvision/log';

interface Kept {
	/** The text that was last found to work. */
	good?: string;
	/** What is being tried. Still there at a start, it was not survived. */
	trial?: { hash: string; since: number };
	/** What was tried and taken back. */
	refused?: { hash: string; reason: string; at: number };
}

/** What a start is to run with, and why that is not what stands in the file. */
export interface Choice {
	text: string;
	/** Set where `text` is not the file's. */
	insteadOf?: string;
}

/**
 * What is remembered of gateway.yaml, on disk: the text that works, the one on trial, and the one that was taken back.
 * A text is only ever replaced by one that has stood its trial, so whatever ends this process, the next start has
 * something that works. Holds what gateway.yaml holds, and so is as secret.
 */
export class KeptConfiguration {
	readonly #folder: string;
	readonly #file: CheckpointFile<Kept>;
	#kept: Kept;

	private constructor(folder: string, file: CheckpointFile<Kept>, kept: Kept) {
		this.#folder = folder;
		this.#file = file;
		this.#kept = kept;
	}

	/** Reads what is on disk. */
	static open(path: string): KeptConfiguration {
		const file = new CheckpointFile<Kept>(path);
		return new KeptConfiguration(dirname(path), file, file.read().value ?? {});
	}

	/** The text that works; undefined before there was one. */
	get good(): string | undefined {
		return this.#kept.good;
	}

	/** What a start runs with, where the file holds `text`; `mistake` says what is wrong with it, where something is. */
	choose(text: string, mistake: string | undefined, now: number): Choice {
		const { good, trial, refused } = this.#kept;
		if (good === undefined || good === text) return { text };
		const hash = hashOf(text);
		if (trial?.hash === hash) this.refuse(text, 'the gateway ended while it was on trial', now);
		else if (mistake !== undefined) return { text: good, insteadOf: mistake };
		else if (refused?.hash !== hash) return { text };
		return { text: good, insteadOf: `it was tried and taken back: ${this.#kept.refused!.reason}` };
	}

	beginTrial(text: string, now: number): void {
		this.#write({ ...this.#kept, trial: { hash: hashOf(text), since: now } });
	}

	/** The trial was cut short by a stop in order: it begins anew with the next start. */
	suspendTrial(): void {
		const { trial: _trial, ...rest } = this.#kept;
		if (_trial) this.#write(rest);
	}

	/** `text` works. */
	confirm(text: string): void {
		this.#write({ good: text });
	}

	refuse(text: string, reason: string, now: number): void {
		const { trial: _trial, ...rest } = this.#kept;
		this.#write({ ...rest, refused: { hash: hashOf(text), reason, at: now } });
	}

	#write(kept: Kept): void {
		this.#kept = kept;
		mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
		// A few times a year, and nothing may be tried before it is on disk.
		this.#file.writeSync(kept);
	}
}

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
