import type { Bus, Subscription } from '@crowdvision/bus';
import { type CommandResult, commandResult, STREAMS } from '@crowdvision/contracts';
import { keepTrying, type Logger } from '@crowdvision/service-kit';

/**
 * The stream of command outcomes. Each command has one outcome, also with several gateways: the bus accepts only the
 * first one under the command's id.
 */
export class Outcomes {
	readonly #bus: Bus;
	readonly #logger: Logger;
	readonly #stopping = new AbortController();
	readonly #publishing = new Set<Promise<unknown>>();
	#tail: Subscription | undefined;

	constructor(bus: Bus, logger: Logger) {
		this.#bus = bus;
		this.#logger = logger;
	}

	/** Calls `onOutcome` with every outcome from now on, of this gateway and of others. */
	async follow(onOutcome: (result: CommandResult) => void): Promise<void> {
		this.#tail = await this.#bus.tail(STREAMS.commandResults, 'end', (entries) => {
			for (const { data } of entries) {
				const result = parse(data);
				if (result) onOutcome(result);
			}
		});
	}

	/**
	 * Publishes an outcome, and keeps trying until the bus has it. Resolves with whether it was the first outcome of the
	 * command, or with undefined if the gateway stops before that is known.
	 */
	publish(result: CommandResult): Promise<boolean | undefined> {
		const published = keepTrying(
			() => this.#bus.appendOnce(STREAMS.commandResults, result.id, JSON.stringify(result)),
			{
				what: 'publishing the outcome of a command',
				details: { id: result.id },
				firstMs: 200,
				longestMs: 10_000,
				signal: this.#stopping.signal,
				logger: this.#logger,
			},
		).catch(() => undefined);
		this.#publishing.add(published);
		void published.finally(() => this.#publishing.delete(published));
		return published;
	}

	async close(): Promise<void> {
		this.#stopping.abort();
		await this.#tail?.close();
		await Promise.all(this.#publishing);
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
