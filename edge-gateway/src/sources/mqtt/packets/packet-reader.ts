import { PUBLISH } from './packet-types.ts';

/** Gets the parts of every packet in a stream. A verdict that one of its methods returns ends the reading. */
export interface PacketVisitor<Verdict> {
	/** The fixed header is complete. `first` is its first byte (type and flags), `length` the remaining length. */
	header(first: number, length: number): Verdict | undefined;
	/**
	 * The head follows, in `bytes` from `start` to `end`: the variable header of a PUBLISH, without its payload; all of
	 * any other packet. `bytes` is valid during the call only.
	 */
	head(first: number, bytes: Uint8Array, start: number, end: number): Verdict | undefined;
	/** The remaining length has more than four bytes. */
	lengthTooLong(): Verdict;
}

const FIRST = 0;
const LENGTH = 1;
const HEAD = 2;
const REST = 3;
const MAX_LENGTH_BYTES = 4;

/**
 * Finds the packets in a stream of MQTT (3.1.1 section 2), whatever the chunks. Reads in place and allocates nothing,
 * except for a head that is split between two chunks: it copies the part that has arrived.
 */
export class PacketReader<Verdict> {
	readonly #visitor: PacketVisitor<Verdict>;
	#state = FIRST;
	#first = 0;
	#length = 0;
	#lengthBytes = 0;
	/** Bytes of the current packet that are still to be skipped. */
	#rest = 0;
	#held: Buffer | undefined;
	#heldBytes = 0;

	constructor(visitor: PacketVisitor<Verdict>) {
		this.#visitor = visitor;
	}

	/** Whether a packet has begun and is not complete. */
	get inPacket(): boolean {
		return this.#state !== FIRST;
	}

	/** Reads the next bytes. Returns the visitor's verdict, if it gave one. */
	read(chunk: Uint8Array): Verdict | undefined {
		for (let at = 0; at < chunk.length; ) {
			if (this.#state === REST) {
				const skipped = Math.min(this.#rest, chunk.length - at);
				at += skipped;
				this.#rest -= skipped;
				if (this.#rest === 0) this.#state = FIRST;
			} else if (this.#state === HEAD) {
				const before = this.#heldBytes;
				const bytes = before > 0 ? this.#hold(chunk, at) : chunk;
				const start = before > 0 ? 0 : at;
				const end = before > 0 ? this.#heldBytes : chunk.length;
				const needed = this.#needed(bytes, start, end);
				if (start + needed > end) {
					if (before === 0) this.#hold(chunk, at);
					return undefined;
				}
				at += needed - before;
				this.#rest = this.#length - needed;
				this.#state = this.#rest > 0 ? REST : FIRST;
				this.#held = undefined;
				this.#heldBytes = 0;
				const verdict = this.#visitor.head(this.#first, bytes, start, start + needed);
				if (verdict !== undefined) return verdict;
			} else {
				const verdict = this.#header(chunk[at++]!, chunk, at);
				if (verdict !== undefined) return verdict;
			}
		}
		return undefined;
	}

	#header(byte: number, chunk: Uint8Array, next: number): Verdict | undefined {
		if (this.#state === FIRST) {
			this.#first = byte;
			this.#length = 0;
			this.#lengthBytes = 0;
			this.#state = LENGTH;
			return undefined;
		}
		this.#length += (byte & 127) * 128 ** this.#lengthBytes++;
		if (byte > 127) return this.#lengthBytes === MAX_LENGTH_BYTES ? this.#visitor.lengthTooLong() : undefined;
		this.#state = this.#length > 0 ? HEAD : FIRST;
		const verdict = this.#visitor.header(this.#first, this.#length);
		return verdict === undefined && this.#length === 0 ? this.#visitor.head(this.#first, chunk, next, next) : verdict;
	}

	/** The length of the head in bytes; while it is not known, more than the bytes that have arrived. */
	#needed(bytes: Uint8Array, start: number, end: number): number {
		if (this.#first >> 4 !== PUBLISH || this.#length < 2) return this.#length;
		if (end - start < 2) return 2;
		const topic = bytes[start]! * 256 + bytes[start + 1]!;
		return Math.min(this.#length, 2 + topic + ((this.#first & 6) > 0 ? 2 : 0));
	}

	/** Copies bytes that may belong to the head. Takes at most twice the memory of the bytes that were sent. */
	#hold(chunk: Uint8Array, at: number): Buffer {
		const more = Math.min(chunk.length - at, this.#length - this.#heldBytes);
		let held = this.#held;
		if (!held || held.length < this.#heldBytes + more) {
			const larger = Buffer.allocUnsafe((this.#heldBytes + more) * 2);
			held?.copy(larger, 0, 0, this.#heldBytes);
			held = larger;
		}
		held.set(chunk.subarray(at, at + more), this.#heldBytes);
		this.#heldBytes += more;
		this.#held = held;
		return held;
	}
}
