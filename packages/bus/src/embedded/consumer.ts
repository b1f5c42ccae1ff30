import type { PlainLogger } from '@crowdvision/service-kit/plain-logger';
import type { BusEntry, Subscription } from '../bus.ts';
import type { FullConsumeOptions } from '../consume-options.ts';
import { type Delivery, deliver } from '../deliver.ts';
import type { EmbeddedGroup, HeldEntry } from './group.ts';

/** What one member of a group works with. */
export interface EmbeddedConsumerParts {
	group: EmbeddedGroup;
	options: FullConsumeOptions;
	handle: (entries: BusEntry[]) => Promise<void>;
	setAside: (entry: BusEntry, reason: string, attempts: number) => Promise<void>;
	logger: PlainLogger;
}

/** One member of a group. What it holds when it closes goes to the other members, or waits for the next one. */
export class EmbeddedConsumer implements Subscription {
	readonly #parts: EmbeddedConsumerParts;
	readonly #closing = new AbortController();
	#running: Promise<void> | undefined;

	constructor(parts: EmbeddedConsumerParts) {
		this.#parts = parts;
	}

	start(): void {
		this.#running ??= this.#run();
	}

	async close(): Promise<void> {
		this.#closing.abort();
		await this.#running;
	}

	async #run(): Promise<void> {
		const { group, options, handle, setAside, logger } = this.#parts;
		const signal = this.#closing.signal;
		const held = new Map<string, HeldEntry>();
		const acknowledge = async (entries: readonly BusEntry[]) => {
			group.acknowledge(entries.flatMap(({ position }) => held.get(position) ?? []));
			for (const { position } of entries) held.delete(position);
		};
		const delivery: Delivery = {
			handle,
			acknowledge,
			setAside: async (entry, reason, attempts) => {
				await setAside(entry, reason, attempts);
				await acknowledge([entry]);
			},
			maxAttempts: options.maxAttempts,
			signal,
			logger,
		};
		group.join();
		while (!signal.aborted) {
			const entries = await group.take(options.batch, signal);
			for (const entry of entries) held.set(entry.position, entry);
			const candidates = entries.map(({ offset: _offset, ...entry }) => ({ entry, tries: 0 }));
			if (candidates.length > 0) await deliver(delivery, candidates);
		}
		group.leave([...held.values()]);
	}
}
