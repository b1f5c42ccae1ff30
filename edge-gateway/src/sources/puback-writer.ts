import type { Duplex } from 'node:stream';

const PUBACK_BYTES = 4;
/** Fixed header of a PUBACK: packet type 4, remaining length 2 (MQTT 3.1.1 section 3.4.1). */
const PUBACK_HEADER = 0x4002;

/**
 * Writes PUBACKs. A commit acknowledges hundreds of messages of a connection at once; they go out as one piece, in the order in which they were added
 * (MQTT-4.6.0-2), instead of three writes and two timers each.
 */
export class PubackWriter {
	readonly #waiting = new Map<Duplex, number[]>();
	#scheduled = false;

	/** Sends the acknowledgement of `messageId` when this turn of the event loop is done with acknowledging. */
	add(connection: Duplex, messageId: number): void {
		if (!this.#scheduled) {
			this.#scheduled = true;
			process.nextTick(() => this.#flushAll());
		}
		const ids = this.#waiting.get(connection);
		if (ids) ids.push(messageId);
		else this.#waiting.set(connection, [messageId]);
	}

	/** Sends what waits for one connection now. */
	flush(connection: Duplex): void {
		const ids = this.#waiting.get(connection);
		this.#waiting.delete(connection);
		if (!ids || connection.destroyed || connection.writableEnded) return;
		const bytes = Buffer.allocUnsafe(ids.length * PUBACK_BYTES);
		let at = 0;
		for (const id of ids) {
			bytes.writeUInt16BE(PUBACK_HEADER, at);
			bytes.writeUInt16BE(id, at + 2);
			at += PUBACK_BYTES;
		}
		connection.write(bytes);
	}

	#flushAll(): void {
		this.#scheduled = false;
		for (const connection of this.#waiting.keys()) this.flush(connection);
	}
}
