/** Remembers on disk which text of gateway.yaml works, which is on trial, and which was undone. */
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { CheckpointFile } from '@crowdvision/log';
import { makeFolder } from '@crowdvision/service-kit';

/** The content of the file. Its keys stay as they are: gateways of other versions read it. */
interface Content {
	/** The text that was last found to work. */
	good?: string;
	/** The text on trial. If it is still here at a start, the gateway did not survive it. */
	trial?: { hash: string; since: number };
	/** The text that was tried and undone. */
	refused?: { hash: string; reason: string; at: number };
}

/** The text that a start uses. */
export interface Choice {
	text: string;
	/** Why `text` is not that of the file; undefined if it is. */
	insteadOf?: string;
}

/**
 * What is remembered on disk about gateway.yaml: the text that works, the one on trial, and the one that was undone. A
 * text is only replaced by one that has passed its trial, so however the process ends, the next start has a text that
 * works. As secret as gateway.yaml itself.
 */
export class ConfigurationHistory {
	readonly #folder: string;
	readonly #file: CheckpointFile<Content>;
	#content: Content;

	private constructor(folder: string, file: CheckpointFile<Content>, content: Content) {
		this.#folder = folder;
		this.#file = file;
		this.#content = content;
	}

	/** Reads the file. */
	static open(path: string): ConfigurationHistory {
		const file = new CheckpointFile<Content>(path);
		return new ConfigurationHistory(dirname(path), file, file.read().value ?? {});
	}

	/** The text that works; undefined before there was one. */
	get good(): string | undefined {
		return this.#content.good;
	}

	/**
	 * Chooses the text that a start uses.
	 * @param text of the file
	 * @param mistake in the text; undefined if it is valid
	 * @param now epoch ms
	 */
	choose(text: string, mistake: string | undefined, now: number): Choice {
		const { good, trial, refused } = this.#content;
		if (good === undefined || good === text) return { text };
		const hash = hashOf(text);
		if (trial?.hash === hash) this.refuse(text, 'the gateway ended while it was on trial', now);
		else if (mistake !== undefined) return { text: good, insteadOf: mistake };
		else if (refused?.hash !== hash) return { text };
		return { text: good, insteadOf: `it was tried and undone: ${this.#content.refused!.reason}` };
	}

	beginTrial(text: string, now: number): void {
		this.#write({ ...this.#content, trial: { hash: hashOf(text), since: now } });
	}

	/** An orderly stop ended the trial early: it begins again at the next start. */
	suspendTrial(): void {
		const { trial, ...rest } = this.#content;
		if (trial) this.#write(rest);
	}

	/** Records that `text` works. @throws the disk's error; then nothing has changed on disk */
	confirm(text: string): void {
		this.#write({ good: text });
	}

	/** Records that `text` was undone. */
	refuse(text: string, reason: string, now: number): void {
		const { trial: _trial, ...rest } = this.#content;
		this.#write({ ...rest, refused: { hash: hashOf(text), reason, at: now } });
	}

	#write(content: Content): void {
		this.#content = content;
		makeFolder(this.#folder);
		// Synchronous: it happens a few times a year, and nothing may be tried before it is on disk.
		this.#file.writeSync(content);
	}
}

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
