/** Stores the commands under way and their outcomes on disk. */
import type { Command, CommandResult } from '@crowdvision/contracts';
import { CheckpointFile } from '@crowdvision/log';

/** The outcome of a command. The field names are those of the file on disk. */
interface StoredOutcome {
	result: CommandResult;
	/** Epoch ms. Until then the command may arrive again, and its id must be known so that it is not delivered again. */
	until: number;
	/** Whether the bus has an outcome of this command, from this gateway or from another. */
	told: boolean;
}

/** The file on disk. */
interface StoredCommands {
	/** Position in the stream of commands: every command up to it is in this file, or has ended. */
	position?: string;
	underWay: Command[];
	ended: StoredOutcome[];
}

/** How long after its deadline a command's id is remembered; later than that the command is late by any clock. */
const REMEMBERED_MS = 60_000;
/** Above this the oldest outcomes that the bus has are forgotten. */
const MAX_OUTCOMES = 1000;

/**
 * The commands under way, the outcomes and the position in the stream of commands, as one durable value: however the
 * process ends, each command is afterwards either under way or ended. Commands are few and small, so each change writes
 * all of them.
 */
export class CommandStore {
	readonly #file: CheckpointFile<StoredCommands>;
	readonly #underWay = new Map<string, Command>();
	readonly #ended = new Map<string, StoredOutcome>();
	#position: string | undefined;

	private constructor(file: CheckpointFile<StoredCommands>) {
		this.#file = file;
	}

	/** Reads the file at `path`; starts empty if there is none. */
	static open(path: string): CommandStore {
		const store = new CommandStore(new CheckpointFile<StoredCommands>(path));
		const { value } = store.#file.read();
		store.#position = value?.position;
		for (const command of value?.underWay ?? []) store.#underWay.set(command.id, command);
		for (const ended of value?.ended ?? []) store.#ended.set(ended.result.id, ended);
		return store;
	}

	get position(): string | undefined {
		return this.#position;
	}

	/** Durable with the next `save`. */
	set position(position: string | undefined) {
		this.#position = position;
	}

	/** Number of commands under way. */
	get size(): number {
		return this.#underWay.size;
	}

	underWay(): Command[] {
		return [...this.#underWay.values()];
	}

	/** A command under way. */
	get(id: string): Command | undefined {
		return this.#underWay.get(id);
	}

	/** The outcome of a command that has ended. */
	result(id: string): CommandResult | undefined {
		return this.#ended.get(id)?.result;
	}

	/** Outcomes that the bus does not have yet. */
	unpublished(): CommandResult[] {
		return [...this.#ended.values()].filter(({ told }) => !told).map(({ result }) => result);
	}

	/** Whether a command is under way or has ended. */
	has(id: string): boolean {
		return this.#underWay.has(id) || this.#ended.has(id);
	}

	add(command: Command): void {
		this.#underWay.set(command.id, command);
	}

	/**
	 * Stores the outcome of a command, under way or not. `isPublished`: the bus has an outcome of it already. `deadline`
	 * and `now` are in epoch ms.
	 */
	end(result: CommandResult, deadline: number, isPublished: boolean, now: number): void {
		this.#underWay.delete(result.id);
		this.#ended.set(result.id, { result, until: Math.max(now, deadline) + REMEMBERED_MS, told: isPublished });
		this.#forget(now);
	}

	/** Notes that the bus has an outcome of this command. */
	setPublished(id: string): void {
		const ended = this.#ended.get(id);
		if (ended) ended.told = true;
	}

	/** Resolves when the present state is on disk. */
	save(): Promise<void> {
		return this.#file.write({
			...(this.#position !== undefined && { position: this.#position }),
			underWay: this.underWay(),
			ended: [...this.#ended.values()],
		});
	}

	/** Resolves when no write is under way. */
	settled(): Promise<void> {
		return this.#file.settled();
	}

	#forget(now: number): void {
		let excess = this.#ended.size - MAX_OUTCOMES;
		for (const [id, { until, told }] of this.#ended) {
			if (told && (until < now || excess > 0)) {
				this.#ended.delete(id);
				excess--;
			}
		}
	}
}
