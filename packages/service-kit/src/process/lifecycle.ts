import type { Logger } from '../logger.ts';
import { SettingsError } from './settings.ts';

/**
 * One step of stopping; steps run in the order they were added in reverse of starting: what was started last stops
 * first.
 */
interface StopStep {
	name: string;
	stop: () => Promise<void> | void;
}

const DEADLINE_MS = 10_000;

/**
 * Starting and stopping of a process. `onStop` registers a step right after the thing was started, so a failed start
 * undoes what was done, and SIGTERM or SIGINT stops everything in the opposite order: three quarters of the deadline
 * gracefully, then by force.
 */
export class Lifecycle {
	readonly #steps: StopStep[] = [];
	readonly #logger: Logger;
	#stopping: Promise<void> | undefined;

	constructor(logger: Logger) {
		this.#logger = logger;
	}

	onStop(name: string, stop: () => Promise<void> | void): void {
		this.#steps.push({ name, stop });
	}

	/** Runs every step, last first; a step that fails is logged and does not keep the others from running. */
	stop(): Promise<void> {
		this.#stopping ??= this.#runSteps();
		return this.#stopping;
	}

	async #runSteps(): Promise<void> {
		for (const { name, stop } of this.#steps.reverse()) {
			try {
				await stop();
			} catch (error) {
				this.#logger.error({ err: error, step: name }, 'stopping: a step failed');
			}
		}
	}

	/**
	 * Stops and exits 0 on the first SIGTERM or SIGINT; a second one, or the deadline, exits at once and says what it
	 * means.
	 */
	exitOnSignals(): void {
		const onSignal = (signal: NodeJS.Signals) => {
			if (this.#stopping) process.exit(130);
			this.#logger.info({ signal }, 'stopping');
			const force = setTimeout(() => {
				this.#logger.warn(
					'stopping took too long: readings not yet acknowledged downstream will be redelivered at the next start',
				);
				process.exit(0);
			}, DEADLINE_MS * 0.75);
			force.unref();
			this.stop().then(() => process.exit(0));
		};
		process.on('SIGTERM', onSignal);
		process.on('SIGINT', onSignal);
	}
}

/**
 * Runs a process's `main`: a mistake in the settings is told line by line and exits 1 before a port is open, anything
 * else with its message.
 */
export async function runMain(main: () => Promise<void>): Promise<void> {
	try {
		await main();
	} catch (error) {
		const lines =
			error instanceof SettingsError
				? error.message
				: `cannot start: ${error instanceof Error ? error.message : String(error)}`;
		process.stderr.write(`${lines}\n`);
		if (process.env.LOG_LEVEL === 'debug' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
		process.exit(1);
	}
}
