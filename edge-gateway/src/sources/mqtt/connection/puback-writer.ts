import type { MqttConnection } from './connection.ts';

const PUBACK_BYTES = 4;
/** Fixed header of a PUBACK: packet type 4, remaining length 2 (MQTT 3.1.1 section 3.4.1). */
const PUBACK_HEADER = 0x4002;

/**
 * The PUBACKs of one connection. Sends them in the order in which the messages arrived (MQTT-4.6.0-2), whatever the
 * order in which the messages become durable.
 */
export class Pubacks {
	readonly connection: MqttConnection;
	/** Packet identifiers in the order of arrival; negative once they may be acknowledged. */
	#ids: number[] = [];
	#written = 0;
	#ready = 0;

	constructor(connection: MqttConnection) {
		this.connection = connection;
	}

	/** Notes a message that arrived. */
	expect(packetId: number): void {
		this.#ids.push(packetId);
	}

	/** Notes that a message may be acknowledged. True when there is something to write. */
	complete(packetId: number): boolean {
		const ids = this.#ids;
		const at = ids[this.#ready] === packetId ? this.#ready : ids.indexOf(packetId, this.#ready);
		if (at >= 0) ids[at] = -packetId;
		while (ids[this.#ready]! < 0) this.#ready++;
		return this.#ready > this.#written;
	}

	/** Writes the PUBACKs that are due, as one piece. */
	write(): void {
		const count = this.#ready - this.#written;
		if (count === 0) return;
		const bytes = Buffer.allocUnsafe(count * PUBACK_BYTES);
		for (let i = 0; i < count; i++) {
			bytes.writeUInt16BE(PUBACK_HEADER, i * PUBACK_BYTES);
			bytes.writeUInt16BE(-this.#ids[this.#written + i]!, i * PUBACK_BYTES + 2);
		}
		if (this.#ready === this.#ids.length) this.#ids.length = 0;
		else this.#ids.splice(0, this.#ready);
		this.#written = 0;
		this.#ready = 0;
		this.connection.write(bytes);
	}
}

/**
 * Gathers the PUBACKs of all connections. One commit of the log acknowledges hundreds of messages of a connection at
 * once; they are written as one piece, instead of with three writes and two timers each.
 */
export class PubackWriter {
	readonly #waiting = new Set<Pubacks>();
	#scheduled = false;

	/** Sends the PUBACK for `packetId`, and those that waited behind it, at the end of this turn of the event loop. */
	acknowledge(pubacks: Pubacks, packetId: number): void {
		if (!pubacks.complete(packetId)) return;
		this.#waiting.add(pubacks);
		if (this.#scheduled) return;
		this.#scheduled = true;
		process.nextTick(() => this.#writeAll());
	}

	#writeAll(): void {
		this.#scheduled = false;
		for (const pubacks of this.#waiting) pubacks.write();
		this.#waiting.clear();
	}
}
