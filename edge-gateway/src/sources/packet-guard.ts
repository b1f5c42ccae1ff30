const CONNECT = 0x10;
const MOST_LENGTH_BYTES = 4;

/**
 * Watches the packets of one MQTT connection go by, before the broker's parser gathers them: that would hold up to 256 MiB of a packet that
 * is not complete, also from somebody who has not signed in. Looks at fixed headers only (MQTT 3.1.1 section 2.2), whatever the chunks.
 */
export class PacketGuard {
	readonly #limit: number;
	readonly #firstLimit: number;
	/** Bytes of the present packet still to come behind its header. */
	#left = 0;
	/** Bytes of the remaining length read so far, 0 when the next byte is a packet's first. */
	#lengthBytes = 0;
	#length = 0;
	#inHeader = false;
	#packets = 0;

	/** Remaining lengths allowed: of the first packet, which must be a CONNECT, and of every other. */
	constructor(firstLimit: number, limit: number) {
		this.#firstLimit = firstLimit;
		this.#limit = limit;
	}

	/** Why the connection must be cut off, or undefined while all is well. */
	look(chunk: Uint8Array): string | undefined {
		for (let at = 0; at < chunk.length; ) {
			if (this.#left > 0) {
				const skipped = Math.min(this.#left, chunk.length - at);
				this.#left -= skipped;
				at += skipped;
				continue;
			}
			const byte = chunk[at++]!;
			if (!this.#inHeader) {
				if (this.#packets++ === 0 && byte !== CONNECT) return 'the first packet is no CONNECT';
				this.#inHeader = true;
				this.#length = 0;
				this.#lengthBytes = 0;
				continue;
			}
			this.#length += (byte & 127) * 128 ** this.#lengthBytes++;
			if (this.#length > (this.#packets === 1 ? this.#firstLimit : this.#limit)) return `a packet of more than ${this.#length} bytes`;
			if (byte < 128) {
				this.#inHeader = false;
				this.#left = this.#length;
			} else if (this.#lengthBytes === MOST_LENGTH_BYTES) return 'a packet whose length does not end';
		}
		return undefined;
	}
}
