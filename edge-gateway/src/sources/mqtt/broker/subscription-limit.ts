import type { Client } from 'aedes';

/** An aedes client; its types leave `closed` out. */
type Subscriber = Client & { closed?: boolean };

/**
 * Limits the topic filters of each device, over all its connections: each filter costs memory, and time with every
 * message.
 */
export class SubscriptionLimit {
	/** Filters that were refused. */
	refused = 0;
	readonly #max: () => number;
	readonly #devices = new Map<string, Map<Subscriber, Set<string>>>();

	/** @param max returns the most filters that a device may have */
	constructor(max: () => number) {
		this.#max = max;
	}

	/** Grants a client's filter, or returns false when its device has too many. */
	grant(device: string, client: Subscriber, filter: string): boolean {
		const clients = this.#devices.get(device) ?? new Map<Subscriber, Set<string>>();
		const filters = clients.get(client) ?? new Set();
		if (filters.has(filter)) return true;
		let count = 0;
		for (const [one, { size }] of clients) {
			// A client that disconnects while it is signing in causes no `clientDisconnect` event.
			if (one.closed) clients.delete(one);
			else count += size;
		}
		if (count >= this.#max()) {
			this.refused++;
			return false;
		}
		this.#devices.set(device, clients.set(client, filters.add(filter)));
		return true;
	}

	isGranted(device: string, client: Subscriber, filter: string): boolean {
		return this.#devices.get(device)?.get(client)?.has(filter) ?? false;
	}

	unsubscribe(device: string, client: Subscriber, filters: string[]): void {
		for (const filter of filters) this.#devices.get(device)?.get(client)?.delete(filter);
	}

	/** Forgets a client that has disconnected. */
	remove(device: string, client: Subscriber): void {
		const clients = this.#devices.get(device);
		clients?.delete(client);
		if (clients?.size === 0) this.#devices.delete(device);
	}
}
