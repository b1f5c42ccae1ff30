import type { TableName } from '@crowdvision/contracts';
import type { Logger } from '../logger.ts';
import { pause, waitAtMost } from '../retry/back-off.ts';

/** What this needs of the bus. */
interface RetainingBus {
	retain(table: TableName, key: string, value: string | null): Promise<void>;
	watch(table: TableName, handle: (key: string, value: string | null) => void): Promise<{ close(): Promise<void> }>;
}

/** The owner's truth, read at the moment it is told. */
export interface RetainedSource {
	/** Every key there is. */
	keys(): Promise<string[]>;
	/** The present value of a key, or null when there is none. */
	read(key: string): Promise<string | null>;
}

const LOOK_EVERY_MS = 1000;
const REPEAT_EVERY_MS = 5 * 60_000;
/** How long a change waits to be told before its request goes on without that; it is told later then. */
const PATIENCE_MS = 1000;

/**
 * Keeps a retained table of the bus equal to what its owner has: told whole at the start and now and then, key by key
 * at each change, and again where the bus lost it. What is retained but not the owner's any more is removed.
 */
export class RetainedTable {
	readonly #bus: RetainingBus;
	readonly #table: TableName;
	readonly #source: RetainedSource;
	readonly #logger: Logger;
	/** Keys whose value on the bus may not be the owner's. */
	readonly #dirty = new Set<string>();
	/** Keys that were given a value and should be there. */
	readonly #told = new Set<string>();
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

	/** Resolves when everything is told, or after a second: then it is told as soon as the bus can be reached. */
	async start(): Promise<void> {
		await waitAtMost(PATIENCE_MS, this.#tellAll());
		this.#loop = this.#look();
		const watching = this.#bus
			.watch(this.#table, (key, value) => this.#heard(key, value))
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
	 * Call it after the change is durable. Resolves when the bus knows, or after a second: then it is told as soon as the
	 * bus can be reached.
	 */
	async changed(...keys: string[]): Promise<void> {
		for (const key of keys) this.#dirty.add(key);
		await waitAtMost(PATIENCE_MS, this.#flush());
	}

	#heard(key: string, value: string | null): void {
		// Lost by the bus, or left there by an owner that was stopped before it could remove it.
		if ((value !== null) !== this.#told.has(key)) this.#dirty.add(key);
	}

	async #look(): Promise<void> {
		const { signal } = this.#stopped;
		for (;;) {
			await pause(LOOK_EVERY_MS, signal);
			if (signal.aborted) return;
			if (Date.now() >= this.#repeatAt) await this.#tellAll();
			else if (this.#dirty.size > 0) await this.#flush();
		}
	}

	async #tellAll(): Promise<void> {
		this.#repeatAt = Date.now() + REPEAT_EVERY_MS;
		try {
			for (const key of await this.#source.keys()) this.#dirty.add(key);
		} catch (error) {
			this.#repeatAt = 0;
			this.#logger.warn({ err: error, table: this.#table }, 'what to retain could not be read: trying on');
		}
		await this.#flush();
	}

	/** One pass at a time; a key that changes meanwhile is read anew by the pass under way. */
	#flush(): Promise<void> {
		this.#flushing ??= this.#tellDirty().finally(() => {
			this.#flushing = undefined;
		});
		return this.#flushing;
	}

	async #tellDirty(): Promise<void> {
		for (const key of this.#dirty) {
			if (this.#stopped.signal.aborted) return;
			this.#dirty.delete(key);
			try {
				const value = await this.#source.read(key);
				if (value === null) this.#told.delete(key);
				else this.#told.add(key);
				await this.#bus.retain(this.#table, key, value);
				this.#failing = false;
			} catch (error) {
				this.#dirty.add(key);
				if (!this.#failing)
					this.#logger.warn({ err: error, table: this.#table, key }, 'not told to the bus yet: trying on');
				this.#failing = true;
				return;
			}
		}
	}
}
