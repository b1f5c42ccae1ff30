import type { Client } from 'aedes';

/** What of a client is asked here; aedes' types leave `closed` out. */
type Subscriber = Client & { closed?: boolean };

/**
 * How many topic filters each device has, over all its connections: every one of them costs memory, and a look with
 * each message.
 */
export class SubscriptionBound {
	/** Filters that were one too many. */
	refused = 0;
	readonly #most: () => number;
	readonly #devices = new Map<string, Map<Subscriber, Set<string>>>();

	constructor(most: () => number) {
		this.#most = most;
	}

	/** Counts a filter of a client, and says whether it may have it. */
	grant(device: string, client: Subscriber, filter: string): boolean {
		const clients = this.#devices.get(device) ?? new Map<Subscriber, Set<string>>();
		const filters = clients.get(client) ?? new Set();
		if (filters.has(filter)) return true;
		let count = 0;
		for (const [one, { size }] of clients) {
			// It went before it was quite here, and nobody told of it.
			if (one.closed) clients.delete(one);
			else count += size;
		}
		if (count >= this.#most()) {
			this.refused++;
			return false;
		}
		this.#devices.set(device, clients.set(client, filters.add(filter)));
		return true;
	}

	has(device: string, client: Subscriber, filter: string): boolean {
		return this.#devices.get(device)?.get(client)?.has(filter) ?? false;
	}

	leave(device: string, client: Subscriber, filters: string[]): void {
		for (const filter of filters) this.#devices.get(device)?.get(client)?.delete(filter);
	}

	gone(device: string, client: Subscriber): void {
		const clients = this.#devices.get(device);
		clients?.delete(client);
		if (clients?.size === 0) this.#devices.delete(device);
	}
}
