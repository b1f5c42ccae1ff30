import type { Command, CommandResult } from '@crowdvision/contracts';
import { CheckpointFile } from '@crowdvision/log';

/** A command whose outcome is decided here. */
interface Ended {
	result: CommandResult;
	/** Until when its id must be known, epoch ms: before that it may come again, and must not be delivered. */
	until: number;
	/** Whether the bus has the outcome, or somebody else's for the same command. */
	told: boolean;
}

interface Kept {
	/** Place in the stream of commands: everything up to it is in this book, or ended. */
	position?: string;
	underWay: Command[];
	ended: Ended[];
}

/** An id is remembered for so long after its deadline; after that it is late by any clock. */
const REMEMBERED_MS = 60_000;
/** Beyond it, the oldest are forgotten whose outcome the bus has. */
const MOST_ENDED = 1000;

/**
 * The commands under way and how far the stream of commands is read, as one durable value: whatever ends the process,
 * after it every command is still under way, or has ended. Commands are few and small, so all of it is written at each
 * change.
 */
export class CommandBook {
	readonly #file: CheckpointFile<Kept>;
	readonly #underWay = new Map<string, Command>();
	readonly #ended = new Map<string, Ended>();
	#position: string | undefined;

	private constructor(file: CheckpointFile<Kept>) {
		this.#file = file;
	}

	/** Reads the book on disk. */
	static open(path: string): CommandBook {
		const book = new CommandBook(new CheckpointFile<Kept>(path));
		const { value } = book.#file.read();
		book.#position = value?.position;
		for (const command of value?.underWay ?? []) book.#underWay.set(command.id, command);
		for (const ended of value?.ended ?? []) book.#ended.set(ended.result.id, ended);
		return book;
	}

	get position(): string | undefined {
		return this.#position;
	}

	/** Change it before `save`. */
	set position(position: string | undefined) {
		this.#position = position;
	}

	get size(): number {
		return this.#underWay.size;
	}

	underWay(): Command[] {
		return [...this.#underWay.values()];
	}

	get(id: string): Command | undefined {
		return this.#underWay.get(id);
	}

	/** What this gateway decided of a command. */
	result(id: string): CommandResult | undefined {
		return this.#ended.get(id)?.result;
	}

	/** Outcomes that the bus does not have yet. */
	untold(): CommandResult[] {
		return [...this.#ended.values()].filter(({ told }) => !told).map(({ result }) => result);
	}

	has(id: string): boolean {
		return this.#underWay.has(id) || this.#ended.has(id);
	}

	add(command: Command): void {
		this.#underWay.set(command.id, command);
	}

	/** Ends a command, under way or not. `told`: the bus knows it from elsewhere. */
	end(result: CommandResult, deadline: number, told: boolean, now: number): void {
		this.#underWay.delete(result.id);
		this.#ended.set(result.id, { result, until: Math.max(now, deadline) + REMEMBERED_MS, told });
		this.#forget(now);
	}

	told(id: string): void {
		const ended = this.#ended.get(id);
		if (ended) ended.told = true;
	}

	/** Resolves when everything up to now is on disk. */
	save(): Promise<void> {
		return this.#file.write({
			...(this.#position !== undefined && { position: this.#position }),
			underWay: this.underWay(),
			ended: [...this.#ended.values()],
		});
	}

	/** Resolves when nothing is being written any more. */
	settled(): Promise<void> {
		return this.#file.settled();
	}

	#forget(now: number): void {
		let over = this.#ended.size - MOST_ENDED;
		for (const [id, { until, told }] of this.#ended) {
			if (told && (until < now || over > 0)) {
				this.#ended.delete(id);
				over--;
			}
		}
	}
}
