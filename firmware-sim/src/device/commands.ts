import type { CommandToDevice } from '@crowdvision/contracts';
import type { Faults } from '../faults.ts';
import { type Answer, type OnCommand, UNKNOWN_COMMAND } from '../links/link.ts';

/** What a command makes the device do. Returns what it did, for a person; what it throws says why it could not. */
export type Action = (args: unknown, sensorId: string) => string;

export interface CommandsOptions {
	/** By the command's name. */
	actions: Readonly<Record<string, Action>>;
	/** Epoch ms, as the device's own clock shows it. */
	clock: () => number;
	faults: Faults;
	/** Called for each command that was executed, when it was. */
	onExecuted?: ((command: CommandToDevice) => void) | undefined;
}

export interface CommandStats {
	/** Commands that came, repetitions included. */
	heard: number;
	/** Of those, repetitions. */
	repeated: number;
	/** What was done, once for each id, by id; and how often it came to each outcome. */
	executed: number;
	failed: number;
	expired: number;
}

/** A clock that shows less was never set. */
const SET = Date.UTC(2000, 0, 1);
/** Ids that a device's memory has room for. */
const MOST_REMEMBERED = 200;

/**
 * A device's obedience: each command is executed once however often it comes, its answer is said again to whoever
 * repeats it, and one that is late is refused, by the device's clock if that is set, and by the time it has itself
 * measured since the command came.
 */
export class Commands {
	readonly #options: CommandsOptions;
	/** In flash memory: it survives a reboot. Undefined while one is being executed. */
	readonly #answers = new Map<string, Answer | undefined>();
	readonly #timers = new Set<NodeJS.Timeout>();
	readonly #stats: CommandStats = { heard: 0, repeated: 0, executed: 0, failed: 0, expired: 0 };

	constructor(options: CommandsOptions) {
		this.#options = options;
	}

	readonly take: OnCommand = (command, answer) => {
		const { faults } = this.#options;
		if (faults.isDeaf()) return;
		this.#stats.heard++;
		if (this.#answers.has(command.id)) {
			this.#stats.repeated++;
			const before = this.#answers.get(command.id);
			if (before) this.#say(before, answer);
			return;
		}
		const dueAt = this.#dueAt(command);
		this.#answers.set(command.id, undefined);
		if (this.#answers.size > MOST_REMEMBERED) this.#answers.delete(this.#answers.keys().next().value!);
		const execute = () => this.#say(this.#execute(command, dueAt), answer);
		const delayMs = faults.commandDelayMs();
		if (delayMs === 0) return execute();
		const timer = setTimeout(() => {
			this.#timers.delete(timer);
			execute();
		}, delayMs);
		this.#timers.add(timer);
	};

	stats(): CommandStats {
		return { ...this.#stats };
	}

	/** What is being executed slowly is not executed any more. */
	stop(): void {
		for (const timer of this.#timers) clearTimeout(timer);
		this.#timers.clear();
	}

	/** On the device's own stopwatch, when the command will be late. */
	#dueAt({ deadline, ttlMs }: CommandToDevice): number {
		const now = this.#options.clock();
		const leftMs = now >= SET ? Math.min(ttlMs, deadline - now) : ttlMs;
		return performance.now() + leftMs;
	}

	#execute(command: CommandToDevice, dueAt: number): Answer {
		const answer = this.#outcomeOf(command, dueAt);
		this.#answers.set(command.id, answer);
		this.#stats[answer.outcome]++;
		return answer;
	}

	#outcomeOf(command: CommandToDevice, dueAt: number): Answer {
		const { name, args, sensorId } = command;
		if (performance.now() >= dueAt) return { outcome: 'expired', detail: 'it came too late' };
		const { actions } = this.#options;
		if (!Object.hasOwn(actions, name)) return UNKNOWN_COMMAND;
		try {
			const detail = actions[name]!(args, sensorId);
			this.#options.onExecuted?.(command);
			return { outcome: 'executed', detail };
		} catch (error) {
			return { outcome: 'failed', detail: (error as Error).message };
		}
	}

	#say(told: Answer, answer: (answer: Answer) => void): void {
		for (const one of this.#options.faults.onAnswer(told)) answer(one);
	}
}
