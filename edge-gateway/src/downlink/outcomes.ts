import type { Bus, Subscription } from '@crowdvision/bus';
import { type CommandResult, commandResult, STREAMS } from '@crowdvision/contracts';
import { backOff, type Logger, pause } from '@crowdvision/service-kit';

/**
 * The stream of outcomes: each command has one, whoever of several gateways is first to say it (the bus takes the first
 * under the command's id and no other).
 */
export class Outcomes {
	readonly #bus: Bus;
	readonly #logger: Logger;
	readonly #stopping = new AbortController();
	readonly #telling = new Set<Promise<unknown>>();
	#tail: Subscription | undefined;

	constructor(bus: Bus, logger: Logger) {
		this.#bus = bus;
		this.#logger = logger;
	}

	/** Calls `heard` with every outcome from now on, of this gateway and of others. */
	async follow(heard: (result: CommandResult) => void): Promise<void> {
		this.#tail = await this.#bus.tail(STREAMS.commandResults, 'end', (entries) => {
			for (const { data } of entries) {
				const result = parse(data);
				if (result) heard(result);
			}
		});
	}

	/**
	 * Says an outcome, for as long as it takes. Resolves with whether it was the first; undefined when the gateway stops
	 * before it is known.
	 */
	tell(result: CommandResult): Promise<boolean | undefined> {
		const telling = this.#tell(result);
		this.#telling.add(telling);
		void telling.finally(() => this.#telling.delete(telling));
		return telling;
	}

	async close(): Promise<void> {
		this.#stopping.abort();
		await this.#tail?.close();
		await Promise.all(this.#telling);
	}

	async #tell(result: CommandResult): Promise<boolean | undefined> {
		const { signal } = this.#stopping;
		for (let failures = 0; ; failures++) {
			try {
				return await this.#bus.appendOnce(STREAMS.commandResults, result.id, JSON.stringify(result));
			} catch (error) {
				if (signal.aborted) return undefined;
				if (failures === 0)
					this.#logger.warn(
						{ err: (error as Error).message, id: result.id },
						'the outcome of a command is not told yet: trying on',
					);
				await pause(backOff(failures, 200, 10_000), signal);
				if (signal.aborted) return undefined;
			}
		}
	}
}

function parse(data: string): CommandResult | undefined {
	try {
		const value: unknown = JSON.parse(data);
		return commandResult.check(value) ? value : undefined;
	} catch {
		return undefined;
	}
}
