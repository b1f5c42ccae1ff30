/** Notices clients that keep ending each other's connection because they use one client id (MQTT-3.1.4-2). */

/** A connection that was ended by another one with the same client id. */
interface TakeOver {
	/** Epoch ms. */
	at: number;
	/** Addresses of the connection that ended and of the one that came. */
	from: string;
	to: string;
}

/** So many within the window are no reconnects of one client that had lost its network. */
const MANY = 3;
const WINDOW_MS = 60_000;
const MAX_CLIENTS = 10_000;

/** Counts take-overs, and says which clients do it again and again. */
export class TakeOvers {
	/** Since the start. */
	total = 0;
	/** The latest of each client, by client id with its device in front. */
	readonly #latest = new Map<string, TakeOver[]>();

	/** Notes that a connection of a client is ended by another. `at` is in epoch ms. */
	note(client: string, takeOver: TakeOver): void {
		this.total++;
		const latest = [...(this.#latest.get(client) ?? []).filter(({ at }) => at > takeOver.at - WINDOW_MS), takeOver];
		if (!this.#latest.has(client) && this.#latest.size >= MAX_CLIENTS) this.#latest.clear();
		this.#latest.set(client, latest);
	}

	/** What is wrong with a client, for people; undefined if nothing is. `now` is in epoch ms. */
	trouble(client: string, now: number): string | undefined {
		const latest = (this.#latest.get(client) ?? []).filter(({ at }) => at > now - WINDOW_MS);
		if (latest.length < MANY) return undefined;
		const addresses = [...new Set(latest.flatMap(({ from, to }) => [from, to]))];
		const [device, ...rest] = client.split('/');
		const id = JSON.stringify(rest.join('/').slice(0, 64));
		const where =
			addresses.length > 1
				? `connections from ${addresses.slice(0, 4).join(' and ')}`
				: `connections from ${addresses[0]}, perhaps two boards behind one address,`;
		return (
			`${where} use the same client id ${id} as ${device} and end each other, ` +
			`${latest.length} times in the last minute: give each board a client id and a token of its own`
		);
	}

	/** The clients that are or were in trouble, those that no longer are with undefined; these are forgotten. */
	check(now: number): [client: string, trouble: string | undefined][] {
		return [...this.#latest.keys()].map((client) => {
			const trouble = this.trouble(client, now);
			if (trouble === undefined) this.#latest.delete(client);
			return [client, trouble];
		});
	}
}
