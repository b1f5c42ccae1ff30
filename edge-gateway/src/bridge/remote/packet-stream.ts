import type { Duplex } from 'node:stream';
import { type Packet, parser } from 'mqtt-packet';

/** Parses the bytes of a connection into packets. A packet that is too large or malformed ends it, by `onEnd`. */
export class PacketStream {
	#listener: ((packet: Packet) => void) | undefined;
	readonly #waiting: Packet[] = [];
	/** Called with the reason when no more packets will come; possibly more than once. */
	onEnd: (reason: string) => void = () => undefined;

	constructor(stream: Duplex, protocolVersion: 4 | 5, maxPacketSize: number) {
		let unparsed = 0;
		const packets = parser({ protocolVersion });
		packets.on('packet', (packet) => {
			unparsed = 0;
			if (this.#listener) this.#listener(packet);
			else this.#waiting.push(packet);
		});
		packets.on('error', (error: Error) => this.onEnd(`the remote sent invalid MQTT: ${error.message}`));
		stream.on('data', (bytes: Buffer) => {
			unparsed += bytes.length;
			packets.parse(bytes);
			// The rest of the last chunk counts as a whole, so the limit may be exceeded by one chunk.
			if (unparsed > maxPacketSize + bytes.length)
				this.onEnd(`the remote sent a packet of more than ${maxPacketSize} bytes`);
		});
		stream.on('error', (error) => this.onEnd(error.message));
		stream.on('close', () => this.onEnd('the remote closed the connection'));
	}

	/** Sets the listener, which also gets the packets that have waited for one. */
	listen(listener: ((packet: Packet) => void) | undefined): void {
		this.#listener = listener;
		if (listener) for (const packet of this.#waiting.splice(0)) listener(packet);
	}
}
