import type { Log } from '@crowdvision/log';
import { keepTrying, type Logger } from '@crowdvision/service-kit';
import type { LocalBroker, LocalMessage } from '../../sources/mqtt/broker/local-broker.ts';
import { overlapFilters } from '../../topics/topic-filter.ts';
import type { BridgeTally } from './bridge-tally.ts';
import { encodeRaw } from './raw-record.ts';

interface RawQueueParts {
	local: LocalBroker;
	/** The log that holds the queue. */
	log: Log;
	/** Filters of the local messages to send. */
	filters: readonly string[];
	/** Whether messages of a matching topic are to be queued, but for those that came by this bridge. */
	wantsTopic: (topic: string) => boolean;
	/** Whether a message with a matching topic is to be queued. */
	wants: (message: LocalMessage) => boolean;
	tally: BridgeTally;
	logger: Logger;
}

/**
 * Taps the local broker and stores the messages that a bridge has to send. Their senders wait until they are on disk.
 */
export class RawQueue {
	readonly #parts: RawQueueParts;
	readonly #closing = new AbortController();
	#endTaps: (() => void)[] = [];

	constructor(parts: RawQueueParts) {
		this.#parts = parts;
	}

	/** Begins to store messages. */
	open(): void {
		const { local, filters, wants, wantsTopic } = this.#parts;
		this.#endTaps = filters.map((filter, index) =>
			local.tap(
				filter,
				(message) => {
					// A message that matches several filters is stored for the first of them.
					const isStored = filters.slice(0, index).some((earlier) => overlapFilters(earlier, message.topic));
					return isStored || !wants(message) ? undefined : this.#store(encodeRaw(message));
				},
				wantsTopic,
			),
		);
	}

	close(): void {
		this.#closing.abort();
		for (const end of this.#endTaps) end();
	}

	/** Resolves when the message is on disk, or dropped because it is too large. */
	async #store(payload: Buffer): Promise<void> {
		const { log, tally, logger } = this.#parts;
		const isTooLarge = (error: unknown) => error instanceof RangeError;
		try {
			await keepTrying(() => log.append([{ payload }]), {
				what: 'bridge: storing messages in the queue',
				firstMs: 50,
				longestMs: 2000,
				signal: this.#closing.signal,
				logger,
				retryIf: (error) => !isTooLarge(error),
			});
		} catch (error) {
			if (!isTooLarge(error)) throw error;
			tally.drop('too_large');
		}
	}
}
