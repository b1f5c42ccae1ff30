import type { TableName } from '@crowdvision/contracts';
import type { Logger } from '../logger.ts';
import { pause, waitAtMost } from '../retry/back-off.ts';

/** The part of the bus that this needs. */
interface RetainingBus {
	retain(table: TableName, key: string, value: string | null): Promise<void>;
	watch(table: TableName, handle: (key: string, value: string | null) => void): Promise<{ close(): Promise<void> }>;
}

/** The owner's values, read at the moment they are published. */
export interface RetainedSource {
	/** All present keys. */
	keys(): Promise<string[]>;
	/** The present value of a key, or null when there is none. */
	read(key: string): Promise<string | null>;
}

/** How often failed keys are retried. */
const RETRY_EVERY_MS = 1000;
/** How often the whole table is published again. */
const REPEAT_EVERY_MS = 5 * 60_000;
/** How long a caller waits for its change to be on the bus; after that the change is published later. */
const PATIENCE_MS = 1000;

/**
 * Keeps a retained table of the bus equal to its owner's values: publishes all of them at the start and every five
 * minutes, single keys when they change, and keys that the bus lost. Removes keys that the owner no longer has.
 */
export class RetainedTable {
	readonly #bus: RetainingBus;
	readonly #table: TableName;
	readonly #source: RetainedSource;
	readonly #logger: Logger;
	/** Keys whose value on the bus may differ from the owner's. */
	readonly #dirty = new Set<string>();
	/** Keys that were published with a value, so the bus should have them. */
	readonly #published = new Set<string>();
	readonly #stopped = new AbortController();
	#flushing: Promise<void> | undefined;
	#loop: Promise<void> | undefined;
	#watch: { close(): Promise<void> } | undefined;
	#repeatAt = 0;
	#failing = false;

	constructor(bus: RetainingBus, table: TableName, source: RetainedSource, logger: Logger) {
		this.#bus = bus;
		this.#table = table;
		this.#source = source;
		this.#logger = logger;
	}

	/** Resolves when all values are published, or after a second; they follow as soon as the bus is reachable. */
	async start(): Promise<void> {
		await waitAtMost(PATIENCE_MS, this.#publishAll());
		this.#loop = this.#repeat();
		const watching = this.#bus
			.watch(this.#table, (key, value) => this.#onValue(key, value))
			.then((watch) => {
				this.#watch = watch;
				if (this.#stopped.signal.aborted) return watch.close();
			});
		await waitAtMost(PATIENCE_MS, watching);
	}

	async stop(): Promise<void> {
		this.#stopped.abort();
		await this.#loop;
		await this.#flushing;
		await this.#watch?.close();
	}

	/**
	 * Publishes keys whose change is durable by now. Resolves when they are on the bus, or after a second; they follow as
	 * soon as the bus is reachable.
	 */
	async changed(...keys: string[]): Promise<void> {
		for (const key of keys) this.#dirty.add(key);
		await waitAtMost(PATIENCE_MS, this.#flush());
	}

	#onValue(key: string, value: string | null): void {
		// The bus lost the key, or an owner stopped before it could remove it.
		if ((value !== null) !== this.#published.has(key)) this.#dirty.add(key);
	}

	async #repeat(): Promise<void> {
		const { signal } = this.#stopped;
		for (;;) {
			await pause(RETRY_EVERY_MS, signal);
			if (signal.aborted) return;
			if (performance.now() >= this.#repeatAt) await this.#publishAll();
			else if (this.#dirty.size > 0) await this.#flush();
		}
	}

	async #publishAll(): Promise<void> {
		this.#repeatAt = performance.now() + REPEAT_EVERY_MS;
		try {
			for (const key of await this.#source.keys()) this.#dirty.add(key);
		} catch (error) {
			this.#repeatAt = 0;
			this.#logger.warn({ err: error, table: this.#table }, 'the values to retain could not be read; trying again');
		}
		await this.#flush();
	}

	/** One pass at a time; a key that changes during a pass is read again in the same pass. */
	#flush(): Promise<void> {
		this.#flushing ??= this.#publishDirty().finally(() => {
			this.#flushing = undefined;
		});
		return this.#flushing;
	}

	async #publishDirty(): Promise<void> {
		for (const key of this.#dirty) {
			if (this.#stopped.signal.aborted) return;
			this.#dirty.delete(key);
			try {
				const value = await this.#source.read(key);
				if (value === null) this.#published.delete(key);
				else this.#published.add(key);
				await this.#bus.retain(this.#table, key, value);
				this.#failing = false;
			} catch (error) {
				this.#dirty.add(key);
				if (!this.#failing)
					this.#logger.warn(
						{ err: error, table: this.#table, key },
						'a retained value could not be published; trying again',
					);
				this.#failing = true;
				return;
			}
		}
	}
}
