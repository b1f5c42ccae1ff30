import { once } from 'node:events';
import type { Socket } from 'socket.io';

type Connection = Socket['conn'];

/** What is written to a connection while its transport is still busy with what came before: it waits in memory. */
export class Backlog {
	readonly #connection: Connection;
	#packets = 0;
	#bytes = 0;
	/** When the oldest of what waits began to, by the monotonic clock. */
	#since = 0;

	constructor(connection: Connection) {
		this.#connection = connection;
		connection.on('packetCreate', (packet: { data?: unknown }) => {
			if (this.#packets === 0) this.#since = performance.now();
			this.#packets++;
			if (typeof packet.data === 'string') this.#bytes += packet.data.length;
		});
		connection.on('drain', () => {
			this.#packets = 0;
			this.#bytes = 0;
		});
	}

	get packets(): number {
		return this.#packets;
	}

	get bytes(): number {
		return this.#bytes;
	}

	/** For how many milliseconds the transport has taken nothing although something waits. */
	get stalledMs(): number {
		return this.#packets === 0 ? 0 : performance.now() - this.#since;
	}

	/** Calls back once, when the transport takes what waits. */
	onDrain(callback: () => void): void {
		this.#connection.once('drain', callback);
	}

	/** Resolves when at most `packets` wait; rejects when the signal aborts. */
	async drained(packets: number, signal: AbortSignal): Promise<void> {
		while (this.#packets > packets) await once(this.#connection, 'drain', { signal });
	}
}
