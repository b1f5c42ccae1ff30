import { PacketReader, type PacketVisitor } from '../packets/packet-reader.ts';
import { PUBACK, PUBLISH, PUBREL, SUBACK, UNSUBACK } from '../packets/packet-types.ts';

const IDS = 65_536;

/**
 * Records which packet identifiers were sent to a client on this connection, so that acknowledgements of messages it
 * never got are recognized. One bit per identifier and QoS.
 */
export class SentMessages implements PacketVisitor<never> {
	readonly #reader = new PacketReader<never>(this);
	readonly #onAnswer: () => void;
	#ofQos1: Uint8Array | undefined;
	#ofQos2: Uint8Array | undefined;

	/** @param onAnswer called for each SUBACK and UNSUBACK */
	constructor(onAnswer: () => void) {
		this.#onAnswer = onAnswer;
	}

	/** Reads the bytes that are written to the client. */
	inspect(chunk: Uint8Array): void {
		this.#reader.read(chunk);
	}

	/** Whether a PUBACK (or else a PUBREC or PUBCOMP) with this identifier answers a message that was sent. */
	has(type: number, packetId: number): boolean {
		const sent = type === PUBACK ? this.#ofQos1 : this.#ofQos2;
		return sent !== undefined && (sent[packetId >> 3]! & (1 << (packetId & 7))) !== 0;
	}

	header(): undefined {
		return undefined;
	}

	head(first: number, bytes: Uint8Array, _start: number, end: number): undefined {
		const type = first >> 4;
		const qos = (first >> 1) & 3;
		if (type === SUBACK || type === UNSUBACK) this.#onAnswer();
		if (!(type === PUBLISH && qos > 0) && type !== PUBREL) return undefined;
		const id = bytes[end - 2]! * 256 + bytes[end - 1]!;
		// A resumed session may begin with the PUBREL of a message that was sent on an earlier connection.
		if (qos === 1 && type === PUBLISH) {
			this.#ofQos1 ??= new Uint8Array(IDS / 8);
			mark(this.#ofQos1, id);
		} else {
			this.#ofQos2 ??= new Uint8Array(IDS / 8);
			mark(this.#ofQos2, id);
		}
		return undefined;
	}

	lengthTooLong(): never {
		throw new Error('the broker wrote a remaining length of more than four bytes');
	}
}

function mark(sent: Uint8Array, id: number): void {
	sent[id >> 3]! |= 1 << (id & 7);
}
