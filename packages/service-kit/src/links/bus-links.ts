import type { Logger } from '../logger.ts';
import { backOff, pause, waitAtMost } from '../retry/back-off.ts';

interface Link {
	close(): Promise<void>;
}

/** How long a service's start waits for the bus before it serves what it can without. */
const PATIENCE_MS = 2000;

/**
 * What a service follows on the bus. A bus that is away does not keep the service from starting: `/readyz` says so
 * meanwhile, and the links are made one after the other as soon as it is there.
 */
export class BusLinks {
	readonly #logger: Logger;
	readonly #links: Link[] = [];
	readonly #stopped = new AbortController();
	#missing = 0;

	constructor(logger: Logger) {
		this.#logger = logger;
	}

	/** Makes the links in this order, each when the one before is there. Resolves when all are, or after two seconds. */
	async open(...steps: (() => Promise<Link>)[]): Promise<void> {
		this.#missing += steps.length;
		await waitAtMost(PATIENCE_MS, this.#openAll(steps));
	}

	/** The reason for a person while a link is missing. */
	trouble(): string | undefined {
		return this.#missing > 0 ? 'the bus was not reached yet' : undefined;
	}

	/** Closes them, the last first. A link still being made is closed as soon as it is there. */
	async close(): Promise<void> {
		this.#stopped.abort();
		for (const link of this.#links.reverse()) await link.close();
	}

	async #openAll(steps: (() => Promise<Link>)[]): Promise<void> {
		for (const step of steps) {
			const link = await this.#openOne(step);
			if (!link) return;
			if (this.#stopped.signal.aborted) return link.close();
			this.#links.push(link);
			this.#missing--;
		}
	}

	async #openOne(step: () => Promise<Link>): Promise<Link | undefined> {
		for (let failures = 0; !this.#stopped.signal.aborted; failures++) {
			try {
				return await step();
			} catch (error) {
				this.#logger.warn({ err: error }, 'the bus cannot be followed yet: trying on');
				await pause(backOff(failures, 100, 5000), this.#stopped.signal);
			}
		}
	}
}
