import type { CommandToDevice } from '@crowdvision/contracts';
import type { Faults } from '../faults.ts';
import { type Answer, type OnCommand, UNKNOWN_COMMAND } from '../links/link.ts';

/** Executes a command. Returns what was done, as text for people; throws an error whose message says why it failed. */
export type Action = (args: unknown, sensorId: string) => string;

/** Options of the commands of one device. */
export interface CommandsOptions {
	/** By name of the command. */
	actions: Readonly<Record<string, Action>>;
	/** Epoch ms, as the device's own clock shows it. */
	clock: () => number;
	faults: Faults;
	/** Called for each command right after it was executed. */
	onExecuted?: ((command: CommandToDevice) => void) | undefined;
}

/** Counts of the commands of one device. */
export interface CommandStats {
	/** Commands received, repetitions included. */
	received: number;
	/** Repetitions among them. */
	repeated: number;
	/** How many commands had each outcome; repetitions do not count. */
	executed: number;
	failed: number;
	expired: number;
}

/** A clock that shows an earlier time was never set. */
const CLOCK_IS_SET = Date.UTC(2000, 0, 1);
/** The most command ids that the device remembers. */
const MAX_REMEMBERED = 200;

/**
 * Executes the commands a device receives: each one once, however often it arrives; a repetition gets the same answer
 * again. An expired command is not executed: by the deadline if the device's clock is set, and always by the time
 * passed since the command arrived.
 */
export class Commands {
	readonly #options: CommandsOptions;
	/** By command id; undefined while the command is being executed. Survives a reboot, as in flash memory. */
	readonly #answers = new Map<string, Answer | undefined>();
	readonly #timers = new Set<NodeJS.Timeout>();
	readonly #stats: CommandStats = { received: 0, repeated: 0, executed: 0, failed: 0, expired: 0 };

	constructor(options: CommandsOptions) {
		this.#options = options;
	}

	readonly onCommand: OnCommand = (command, answer) => {
		const { faults } = this.#options;
		if (faults.ignoresCommand()) return;
		this.#stats.received++;
		if (this.#answers.has(command.id)) {
			this.#stats.repeated++;
			const previous = this.#answers.get(command.id);
			if (previous) this.#answer(previous, answer);
			return;
		}
		const dueAt = this.#dueAt(command);
		this.#answers.set(command.id, undefined);
		if (this.#answers.size > MAX_REMEMBERED) this.#answers.delete(this.#answers.keys().next().value!);
		const execute = () => this.#answer(this.#execute(command, dueAt), answer);
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

	/** Drops the commands whose execution is delayed. */
	stop(): void {
		for (const timer of this.#timers) clearTimeout(timer);
		this.#timers.clear();
	}

	/** When the command expires, on the device's monotonic clock (`performance.now`). */
	#dueAt({ deadline, ttlMs }: CommandToDevice): number {
		const now = this.#options.clock();
		const leftMs = now >= CLOCK_IS_SET ? Math.min(ttlMs, deadline - now) : ttlMs;
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
		if (performance.now() >= dueAt) return { outcome: 'expired', detail: 'the command arrived too late' };
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

	#answer(result: Answer, send: (answer: Answer) => void): void {
		for (const one of this.#options.faults.onAnswer(result)) send(one);
	}
}
