import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';

/** Handlers by name. A handler that throws is logged, and the others are still called. */
export class Listeners<Args extends unknown[]> {
	readonly #handlers = new Map<string, Set<(...args: Args) => void>>();
	readonly #logger: PlainLogger;

	constructor(logger: PlainLogger) {
		this.#logger = logger;
	}

	/** Returns the function that removes the handler. The same function may be added several times. */
	add(name: string, handle: (...args: Args) => void): () => void {
		const own = (...args: Args) => handle(...args);
		const handlers = this.#handlers.get(name) ?? new Set();
		this.#handlers.set(name, handlers.add(own));
		return () => {
			handlers.delete(own);
			if (handlers.size === 0 && this.#handlers.get(name) === handlers) this.#handlers.delete(name);
		};
	}

	has(name: string): boolean {
		return this.#handlers.has(name);
	}

	notify(name: string, ...args: Args): void {
		for (const handle of this.#handlers.get(name) ?? []) {
			try {
				handle(...args);
			} catch (error) {
				this.#logger.error({ err: error, channel: name }, 'a listener threw an error');
			}
		}
	}
}
