import { useOutgoingProxy } from '../http/outgoing-proxy.ts';
import type { Logger } from '../logger.ts';
import { SettingsError } from './settings.ts';

interface StopStep {
	name: string;
	stop: () => Promise<void> | void;
}

const DEADLINE_MS = 10_000;

/**
 * The parts of a process, or of one service in it, in the order in which they were opened. Each is registered right
 * after it was opened; they are closed in reverse order, also when opening the next one fails.
 */
export class Lifecycle {
	readonly #steps: StopStep[] = [];
	readonly #logger: Logger;
	#stopping: Promise<void> | undefined;

	constructor(logger: Logger) {
		this.#logger = logger;
	}

	/** Registers a step of stopping. `name` appears in the log when the step fails. */
	onStop(name: string, stop: () => Promise<void> | void): void {
		this.#steps.push({ name, stop });
	}

	/** Registers a part that was just opened, with how to close it (by default its `close`), and returns the part. */
	own<T extends { close(): Promise<void> | void }>(name: string, part: T): T;
	own<T>(name: string, part: T, close: (part: T) => Promise<void> | void): T;
	own<T extends { close?(): Promise<void> | void }>(
		name: string,
		part: T,
		close: (part: T) => Promise<void> | void = () => part.close?.(),
	): T {
		this.onStop(name, () => close(part));
		return part;
	}

	/** Runs every step, the last registered first. A step that fails is logged and does not stop the others. */
	stop(): Promise<void> {
		this.#stopping ??= this.#runSteps();
		return this.#stopping;
	}

	/** Resolves with the result of `open`. When it rejects, closes what it registered, then rejects with its error. */
	async stopOnFailure<T>(open: () => Promise<T>): Promise<T> {
		try {
			return await open();
		} catch (error) {
			await this.stop();
			throw error;
		}
	}

	/**
	 * Stops on the first SIGTERM or SIGINT. Exits with 0 when every step has run; with 1 after three quarters of the
	 * deadline, logging what that means; with 130 at once on a second signal.
	 */
	exitOnSignals(deadlineMs = DEADLINE_MS): void {
		const onSignal = (signal: NodeJS.Signals) => {
			if (this.#stopping) process.exit(130);
			this.#logger.info({ signal }, 'stopping');
			const force = setTimeout(() => {
				this.#logger.warn(
					'stopping took too long: readings not yet acknowledged downstream will be redelivered at the next start',
				);
				process.exit(1);
			}, deadlineMs * 0.75);
			force.unref();
			this.stop().then(() => process.exit(0));
		};
		process.on('SIGTERM', onSignal);
		process.on('SIGINT', onSignal);
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
}

/**
 * Runs a process's `main`. When it rejects, prints why to stderr and exits with 1: one line per wrong setting, or the
 * message of any other error, with its stack where LOG_LEVEL is `debug`.
 */
export async function runMain(main: () => Promise<void>): Promise<void> {
	try {
		useOutgoingProxy(process.env);
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
