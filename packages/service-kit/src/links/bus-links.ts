import type { Logger } from '../logger.ts';
import { waitAtMost } from '../retry/back-off.ts';
import { keepTrying } from '../retry/keep-trying.ts';

export interface Link {
	close(): Promise<void>;
}

/** How long a service's start waits for the bus before the service serves what it can without it, in ms. */
const START_PATIENCE_MS = 2000;

/**
 * The subscriptions of a service on the bus. A bus that is unreachable does not keep the service from starting:
 * `trouble` reports it, and the links are opened one after the other as soon as the bus is there.
 */
export class BusLinks {
	readonly #logger: Logger;
	readonly #links: Link[] = [];
	readonly #stopped = new AbortController();
	#missing = 0;

	constructor(logger: Logger) {
		this.#logger = logger;
	}

	/** Opens the links in this order, each after the one before. Resolves when all are open, or after two seconds. */
	async open(...steps: (() => Promise<Link>)[]): Promise<void> {
		this.#missing += steps.length;
		await waitAtMost(START_PATIENCE_MS, this.#openAll(steps));
	}

	/** The reason for a person while a link is missing. */
	trouble(): string | undefined {
		return this.#missing > 0 ? 'the bus was not reached yet' : undefined;
	}

	/** Closes the links, the last one first. A link that is still being opened is closed as soon as it is open. */
	async close(): Promise<void> {
		this.#stopped.abort();
		for (const link of this.#links.reverse()) await link.close();
	}

	async #openAll(steps: (() => Promise<Link>)[]): Promise<void> {
		const { signal } = this.#stopped;
		for (const step of steps) {
			const link = await this.#openOne(step);
			if (!link) return;
			if (signal.aborted) return link.close();
			this.#links.push(link);
			this.#missing--;
		}
	}

	/** Resolves with undefined where the links are closed first. */
	async #openOne(step: () => Promise<Link>): Promise<Link | undefined> {
		const { signal } = this.#stopped;
		if (signal.aborted) return undefined;
		try {
			return await keepTrying(step, {
				what: 'following the bus',
				signal,
				firstMs: 100,
				longestMs: 5000,
				logger: this.#logger,
			});
		} catch {
			return undefined;
		}
	}
}
