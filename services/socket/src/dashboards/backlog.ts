import { once } from 'node:events';
import type { Socket } from 'socket.io';

type Connection = Socket['conn'];

/** The packets that wait in memory because the transport of a connection is busy. */
export class Backlog {
	readonly #connection: Connection;
	#packets = 0;
	#bytes = 0;
	/** Since when the oldest packet waits, on the monotonic clock. */
	#since = 0;

	private constructor(connection: Connection) {
		this.#connection = connection;
	}

	/** Watches a connection until it closes. */
	static watch(connection: Connection): Backlog {
		const backlog = new Backlog(connection);
		connection.on('packetCreate', (packet: { data?: unknown }) => {
			if (backlog.#packets === 0) backlog.#since = performance.now();
			backlog.#packets++;
			if (typeof packet.data === 'string') backlog.#bytes += packet.data.length;
		});
		connection.on('drain', () => {
			backlog.#packets = 0;
			backlog.#bytes = 0;
		});
		return backlog;
	}

	get packets(): number {
		return this.#packets;
	}

	get bytes(): number {
		return this.#bytes;
	}

	/** How long the transport has accepted nothing while packets wait, in ms. */
	get stalledMs(): number {
		return this.#packets === 0 ? 0 : performance.now() - this.#since;
	}

	/** Calls back once, when the transport has accepted what waits. */
	onDrain(callback: () => void): void {
		this.#connection.once('drain', callback);
	}

	/** Resolves when at most `packets` wait; rejects when the signal aborts. */
	async drained(packets: number, signal: AbortSignal): Promise<void> {
		while (this.#packets > packets) await once(this.#connection, 'drain', { signal });
	}
}
